/** The API server's own port beside those of Services, on one channel to the supervisor. */
import type { HostPortClaim, HostPortHolder, HostPortState } from '@lateen/runtime'

const API_KEY = 'api-server'

export interface ApiPort {
  readonly port: number
  readonly target: HostPortClaim['target']
  /** Told when the port could not be had. */
  readonly failed: (error: string) => void
}

/** A holder that always claims the API's port too, and keeps its state to itself. */
export function withApiPort(holder: HostPortHolder, { port, target, failed }: ApiPort): HostPortHolder {
  const own: HostPortClaim = { key: API_KEY, port, owner: 'the API server', target }
  let listener: (states: readonly HostPortState[]) => void = () => undefined
  holder.onState((states) => {
    const error = states.find(({ key }) => key === API_KEY)?.error
    if (error) failed(error)
    listener(states.filter(({ key }) => key !== API_KEY))
  })
  holder.claimFirst([own])
  return {
    claim: (claims) => holder.claim([own, ...claims]),
    claimFirst: (claims) => holder.claimFirst([own, ...claims]),
    onState: (next) => {
      listener = next
    },
    close: () => holder.close(),
  }
}
