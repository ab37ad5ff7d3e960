/**
 * The cells of the graph: what can be read, what reads, and how a change travels.
 *
 * A change marks its readers DIRTY and, through them, everything further on CHECK. Nothing is computed while marking. Later a
 * cell that somebody wants brings itself up to date: a CHECK cell first asks what it read; only if one of these really changed
 * does it compute again, and only if its own value differs from the old do its readers. (The scheme of push-marked,
 * pull-computed reactive graphs.)
 */

export const CLEAN = 0
export const CHECK = 1
export const DIRTY = 2
export type State = typeof CLEAN | typeof CHECK | typeof DIRTY

/** Something that can be read, with those who read it. */
export abstract class Cell {
  readonly readers = new Set<Reader>()

  /** Brings the value up to date. Input cells always are. */
  refresh(): void {}

  /** Called when the last reader has gone. */
  abstract unread(): void

  /** What it is, for dumps and for errors: `service[shop/cart]`. */
  abstract get label(): string

  /** Tells the readers that the value is another one. */
  changed(): void {
    for (const reader of this.readers) reader.mark(DIRTY)
  }
}

/** A cell that reads others. */
export interface Reader {
  mark(state: State): void
}

/** Raised when a computation needs its own result. The message names the whole circle. */
export class CycleError extends Error {
  readonly code = 'GRAPH_CYCLE'
}
