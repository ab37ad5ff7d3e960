/** One thing that a report collects. */
import type { FileOnDisk } from './archive.ts'

export interface Item {
  /** Below the archive's folder: of the file, or of the folder when it becomes several. */
  readonly path: string
  /**
   * Text, or files below `path`. What is missing of it is told to `note`.
   *
   * @param signal the time for the report is over
   */
  read(note: (fault: string) => void, signal: AbortSignal): Promise<string | readonly Part[]>
  readonly isLog?: true
  /** Collected where the image has a program for it; its absence is no fault. */
  readonly isOptional?: true
}

export interface Part {
  readonly name: string
  readonly content: FileOnDisk
}
