export function withLock<T>(root: string, work: () => Promise<T>): Promise<T>
