export * from './resource-source.ts'
