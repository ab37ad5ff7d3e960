/**
 * Node's HTTP module, got without `import`.
 *
 * Importing it evaluates all of its exports, among them WebSocket, which loads Node's whole fetch implementation: 12 MB of
 * memory that an agent beside every workload should not hold.
 */
export const http = process.getBuiltinModule('node:http')
