/** Words for a POSIX shell. */

/** One word, safe whatever it holds. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_/.:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** A command line of separate words. */
export function line(...words: readonly string[]): string {
  return words.map(quote).join(' ')
}
