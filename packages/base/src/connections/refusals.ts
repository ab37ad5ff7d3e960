/** What is logged of callers that are turned away, who could else fill the log as fast as they can call. */
import type { Logger } from '../log.ts'
import { addressBlock } from './address-block.ts'

const INTERVAL_MS = 60_000
/** Addresses that are told apart at a time; those beyond are counted together. */
const MAX_ADDRESSES = 100

/** Tells of one refusal; `peer` as gRPC calls the other end of a connection, with its port. */
export type TellRefusal = (peer: string, reason: string) => void

/** The first refusal of an address is a warning at once; of those that follow within a minute there is one line, with their number and the last reason. */
export function refusalLog(log: Pick<Logger, 'warn'>, message: string): TellRefusal {
  const told = new Map<string, { address: string; reason: string; times: number }>()
  let others = 0
  const summarize = () => {
    for (const { address, reason, times } of told.values()) if (times > 0) log.warn(`${message}, again`, { address, reason, times })
    if (others > 0) log.warn(`${message}, of further addresses`, { times: others })
    told.clear()
    others = 0
  }
  return (peer, reason) => {
    const block = addressBlock(peer.replace(/:\d+$/, ''))
    const known = told.get(block)
    if (known) told.set(block, { address: peer, reason, times: known.times + 1 })
    else if (told.size >= MAX_ADDRESSES) others += 1
    else {
      if (told.size === 0) setTimeout(summarize, INTERVAL_MS).unref?.()
      told.set(block, { address: peer, reason, times: 0 })
      log.warn(message, { address: peer, reason })
    }
  }
}
