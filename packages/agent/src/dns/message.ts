/**
 * DNS messages: the question of a query, and answers to it.
 *
 * Queries that are forwarded travel as the bytes they came in; only what the agent answers itself is written here.
 */
import { isIPv4 } from 'node:net'

export const TYPE = { A: 1, CNAME: 5, AAAA: 28, OPT: 41 } as const
export const RCODE = { ok: 0, formatError: 1, serverFailure: 2, notImplemented: 4, refused: 5 } as const

const CLASS_IN = 1
const HEADER = 12
const FLAG = { response: 0x8000, authoritative: 0x0400, truncated: 0x0200, recursionDesired: 0x0100, recursionAvailable: 0x0080 } as const
/** UDP answers are this long at most where the client says nothing else. */
const PLAIN_UDP = 512
/** Larger ones are fragmented on common links. */
const MAX_UDP = 1232

export interface Query {
  readonly id: number
  /** With its case as asked; labels joined by dots. */
  readonly name: string
  readonly type: number
  readonly class: number
  readonly recursionDesired: boolean
  /** The question as it came, to be sent back. */
  readonly question: Buffer
  /** Longest UDP answer that the client takes. */
  readonly udpSize: number
  /** The client speaks EDNS, so the answer must too. */
  readonly edns: boolean
}

/**
 * Reads a standard query with one question.
 *
 * @returns the response code to answer with where it is no such query; `undefined` for what deserves no answer
 */
export function readQuery(message: Buffer): Query | { readonly refuse: number } | undefined {
  if (message.length < HEADER) return undefined
  const flags = message.readUInt16BE(2)
  if (flags & FLAG.response) return undefined
  if ((flags & 0x7800) !== 0) return { refuse: RCODE.notImplemented }
  if (message.readUInt16BE(4) !== 1) return { refuse: RCODE.formatError }
  const read = readName(message, HEADER)
  if (!read || read.end + 4 > message.length) return { refuse: RCODE.formatError }
  const end = read.end + 4
  const edns = readEdns(message, end)
  return {
    id: message.readUInt16BE(0),
    name: read.name,
    type: message.readUInt16BE(read.end),
    class: message.readUInt16BE(read.end + 2),
    recursionDesired: (flags & FLAG.recursionDesired) !== 0,
    question: message.subarray(HEADER, end),
    udpSize: edns === undefined ? PLAIN_UDP : Math.max(PLAIN_UDP, Math.min(MAX_UDP, edns)),
    edns: edns !== undefined,
  }
}

/** A question's name has no compression; labels are at most 63 and all at most 255 bytes. */
function readName(message: Buffer, start: number): { name: string; end: number } | undefined {
  const labels: string[] = []
  let at = start
  for (;;) {
    const length = message[at]
    if (length === undefined || length > 63 || at - start > 255) return undefined
    at++
    if (length === 0) return { name: labels.join('.'), end: at }
    if (at + length > message.length) return undefined
    labels.push(message.toString('latin1', at, at + length))
    at += length
  }
}

/** The UDP size of an OPT record directly after the question, where clients put it. */
function readEdns(message: Buffer, at: number): number | undefined {
  if (message.readUInt16BE(10) === 0 || message.readUInt16BE(6) !== 0 || message.readUInt16BE(8) !== 0) return undefined
  if (at + 11 > message.length || message[at] !== 0 || message.readUInt16BE(at + 1) !== TYPE.OPT) return undefined
  return message.readUInt16BE(at + 3)
}

/** An answer without records. */
export function refusal(message: Buffer, rcode: number): Buffer {
  const answer = Buffer.alloc(HEADER)
  message.copy(answer, 0, 0, 2)
  answer.writeUInt16BE(FLAG.response | FLAG.recursionAvailable | (message.readUInt16BE(2) & (0x7800 | FLAG.recursionDesired)) | rcode, 2)
  return answer
}

export interface Answer {
  readonly rcode: number
  readonly addresses: readonly string[]
  /** The name that the addresses belong to, where it is not the one asked for. */
  readonly canonical?: string
  readonly ttlSeconds: number
}

/** An answer with addresses; cut off and marked so where it is longer than `limit`. */
export function writeAnswer(query: Query, answer: Answer, limit: number): Buffer {
  const records: Buffer[] = []
  // 0xc00c points at the question's name.
  let owner: Buffer = Buffer.from([0xc0, 0x0c])
  if (answer.canonical !== undefined) {
    const target = nameBytes(answer.canonical)
    records.push(record(owner, TYPE.CNAME, answer.ttlSeconds, target))
    owner = target
  }
  for (const address of answer.addresses) records.push(record(owner, query.type, answer.ttlSeconds, addressBytes(address)))
  const opt = query.edns ? Buffer.from([0, 0, TYPE.OPT, MAX_UDP >> 8, MAX_UDP & 0xff, 0, 0, 0, 0, 0, 0]) : Buffer.alloc(0)
  let room = limit - HEADER - query.question.length - opt.length
  const fitting = records.filter((item) => {
    room = item.length <= room ? room - item.length : -1
    return room >= 0
  })
  const truncated = fitting.length < records.length
  const header = Buffer.alloc(HEADER)
  header.writeUInt16BE(query.id, 0)
  const desired = query.recursionDesired ? FLAG.recursionDesired : 0
  header.writeUInt16BE(
    FLAG.response | FLAG.authoritative | FLAG.recursionAvailable | desired | (truncated ? FLAG.truncated : 0) | answer.rcode,
    2,
  )
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(fitting.length, 6)
  header.writeUInt16BE(query.edns ? 1 : 0, 10)
  return Buffer.concat([header, query.question, ...fitting, opt])
}

function record(owner: Buffer, type: number, ttlSeconds: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(CLASS_IN, 2)
  fixed.writeUInt32BE(ttlSeconds, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([owner, fixed, data])
}

/** A name in wire form. Labels come from names that were valid in a query or a host name. */
function nameBytes(name: string): Buffer {
  const labels = name.split('.').filter(Boolean)
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([Math.min(63, label.length)]), Buffer.from(label.slice(0, 63), 'latin1')]),
    Buffer.from([0]),
  ])
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [left = '', right] = address.split('::')
  const groups = (text: string) =>
    text === ''
      ? []
      : text
          .split(':')
          .flatMap((group) =>
            group.includes('.') ? group.split('.').map(Number) : [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff],
          )
  const head = groups(left)
  const tail = right === undefined ? [] : groups(right)
  return Buffer.from([...head, ...Array.from({ length: 16 - head.length - tail.length }, () => 0), ...tail])
}

/** Whether a response is for this question, whatever its name's case. */
export function isAnswerTo(response: Buffer, id: number, question: Buffer): boolean {
  if (response.length < HEADER + question.length || response.readUInt16BE(0) !== id || (response.readUInt16BE(2) & FLAG.response) === 0)
    return false
  const echoed = response.subarray(HEADER, HEADER + question.length)
  return echoed.toString('latin1').toLowerCase() === question.toString('latin1').toLowerCase()
}

export const isTruncated = (response: Buffer): boolean => (response.readUInt16BE(2) & FLAG.truncated) !== 0
