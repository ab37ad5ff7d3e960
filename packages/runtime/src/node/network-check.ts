/** One look at a container: HTTP, TCP or gRPC, from the node to the pod's address. */

import { request as httpRequest } from 'node:http'
import { constants, connect as http2 } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { Container, HttpGetAction } from '../kube/pod.ts'

export interface CheckResult {
  readonly ok: boolean
  /** Why not, in the words users know from the kubelet. */
  readonly message: string
}

const MAX_BODY = 10 << 10
const OK: CheckResult = { ok: true, message: '' }

/** The number of a port that may be named by a container port. */
export function portNumber(port: string | number, container: Container): number | undefined {
  if (typeof port === 'number') return port
  const named = container.ports?.find(({ name }) => name === port)?.containerPort
  const number = Number(port)
  return named ?? (Number.isInteger(number) && number > 0 ? number : undefined)
}

/** A GET; success is a status from 200 to 399. Certificates are not checked, as the kubelet does not. */
export function checkHttp(action: HttpGetAction, container: Container, address: string, timeout: number): Promise<CheckResult> {
  const port = portNumber(action.port, container)
  if (port === undefined) return Promise.resolve({ ok: false, message: `the container has no port named "${action.port}"` })
  const secure = action.scheme?.toUpperCase() === 'HTTPS'
  const path = action.path?.startsWith('/') ? action.path : `/${action.path ?? ''}`
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.32', accept: '*/*', connection: 'close' }
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value
  const options = { host: action.host || address, port, path, headers, agent: false, timeout, rejectUnauthorized: false }
  return new Promise((resolve) => {
    const url = `${secure ? 'https' : 'http'}://${options.host}:${port}${path}`
    const request = (secure ? httpsRequest : httpRequest)(options, (response) => {
      const status = response.statusCode ?? 0
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_BODY) response.destroy()
      })
      response.on('close', () =>
        resolve(status >= 200 && status < 400 ? OK : { ok: false, message: `HTTP probe failed with statuscode: ${status}` }),
      )
    })
    const deadline = setTimeout(() => request.destroy(new Error(`no answer within ${timeout / 1000} s`)), timeout)
    request.on('close', () => clearTimeout(deadline))
    request.on('error', (error) => resolve({ ok: false, message: `Get "${url}": ${error.message}` }))
    request.end()
  })
}

export function checkTcp(port: number, address: string, timeout: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout })
    const finish = (result: CheckResult) => {
      socket.destroy()
      resolve(result)
    }
    socket.on('connect', () => finish(OK))
    socket.on('timeout', () => finish({ ok: false, message: `dial tcp ${address}:${port}: i/o timeout` }))
    socket.on('error', (error) => finish({ ok: false, message: `dial tcp ${address}:${port}: ${error.message}` }))
  })
}

/** `grpc.health.v1.Health/Check`; its messages are small enough to be written by hand. */
export function checkGrpc(port: number, service: string, address: string, timeout: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const session = http2(`http://${address}:${port}`)
    const finish = (result: CheckResult) => {
      clearTimeout(deadline)
      session.destroy()
      resolve(result)
    }
    const deadline = setTimeout(
      () => finish({ ok: false, message: `timeout: failed to connect service "${address}:${port}" within ${timeout / 1000} s` }),
      timeout,
    )
    session.on('error', (error) => finish({ ok: false, message: `error: ${error.message}` }))
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    let body = Buffer.alloc(0)
    let status = ''
    stream.on('response', (headers) => {
      status = String(headers['grpc-status'] ?? status)
    })
    stream.on('trailers', (headers) => {
      status = String(headers['grpc-status'] ?? status)
    })
    stream.on('data', (chunk: Buffer) => {
      if (body.length < MAX_BODY) body = Buffer.concat([body, chunk])
    })
    stream.on('error', (error) => finish({ ok: false, message: `error: ${error.message}` }))
    // Field 1 of the answer is the status; 1 is SERVING.
    stream.on('close', () =>
      finish(
        status === '0' && body[5] === 0x08 && body[6] === 1
          ? OK
          : { ok: false, message: `service unhealthy (grpc-status ${status || 'none'})` },
      ),
    )
    const name = Buffer.from(service).subarray(0, 120)
    const message = name.length > 0 ? Buffer.concat([Buffer.from([0x0a, name.length]), name]) : Buffer.alloc(0)
    const frame = Buffer.alloc(5)
    frame.writeUInt32BE(message.length, 1)
    stream.end(Buffer.concat([frame, message]))
  })
}
