/** What every package may use; safe in a browser but for the default log sink. */

export * from './control-characters.ts'
export * from './diagnostics.ts'
export * from './duration.ts'
export * from './ip-family.ts'
export * from './log.ts'
export * from './order.ts'
export * from './record.ts'
export * from './tls-policy.ts'
