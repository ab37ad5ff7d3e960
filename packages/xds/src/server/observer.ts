/** What happens in the server, told to whoever counts it. All methods are optional and must not throw. */

export interface XdsObserver {
  connected?(event: { readonly connection: string; readonly nodeId: string }): void
  disconnected?(event: { readonly connection: string; readonly nodeId: string; readonly reason: string }): void
  /** A stream was turned away: no identity, not allowed, too large, too late. */
  refused?(event: { readonly address: string; readonly reason: string }): void
  /** A response was handed to the transport. Sizes in bytes. */
  pushed?(event: { readonly nodeId: string; readonly typeUrl: string; readonly resources: number; readonly bytes: number }): void
  /** A client took a response, so many milliseconds after it was sent. */
  accepted?(event: { readonly nodeId: string; readonly typeUrl: string; readonly milliseconds: number }): void
  rejected?(event: { readonly nodeId: string; readonly typeUrl: string; readonly message: string }): void
  /** A stream holds everything that a change brought, so many milliseconds after the source told of it. */
  converged?(event: { readonly nodeId: string; readonly milliseconds: number }): void
}
