/** Noticing that a mounted file was replaced. */
import { type FSWatcher, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'

/** Covers what inotify cannot see, such as a bind mount replaced from outside. */
const POLL_MS = 10_000

/**
 * Calls back when one of the files may have changed. Folders are watched and not the files, because ConfigMaps and Secrets are
 * replaced by renaming a link beside them. Returns how to stop.
 */
export function watchFiles(files: readonly string[], changed: () => void): () => void {
  const watchers: FSWatcher[] = []
  let last = stamps(files)
  const check = () => {
    const now = stamps(files)
    if (now === last) return
    last = now
    changed()
  }
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    try {
      const watcher = watch(folder, { persistent: false }, check)
      watcher.on('error', () => watcher.close())
      watchers.push(watcher)
    } catch {
      // The folder is not there yet; polling finds it.
    }
  }
  const timer = setInterval(check, POLL_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    for (const watcher of watchers) watcher.close()
  }
}

function stamps(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false })
      return stat ? `${stat.ino}:${stat.mtimeMs}:${stat.size}` : '-'
    })
    .join()
}
