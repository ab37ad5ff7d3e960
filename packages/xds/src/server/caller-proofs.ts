/** How services tell the port on which they are called what its callers have proven. */

export interface CallerProofs {
  /**
   * What a caller shows is being examined: until the result is called its connection is not ended for being slow.
   *
   * @param peer as `getPeer()` of the call says
   */
  examine(peer: string): () => void
  /** The caller has shown who it is, or needs not to: its connection stays. */
  prove(peer: string): void
}

/** For servers whose callers are trusted to begin with. */
export const NO_PROOFS: CallerProofs = { examine: () => () => undefined, prove: () => undefined }
