// tcp-echo: sends every line back behind a prefix. Arguments: ports with commas, prefix.
import { createServer } from 'node:net'

const [, , ports = '9000,9001,9002', prefix = 'hello'] = process.argv
const MAX_LINE = 64 << 10

const servers = ports.split(',').map((text) => {
  const port = Number(text)
  const server = createServer((socket) => {
    // A second name tells the listeners apart, as the service's two ports do.
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      rest += chunk
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) socket.write(`${prefix} ${line}\n`)
      if (rest.length > MAX_LINE) socket.destroy()
    })
    socket.on('end', () => socket.end())
  })
  server.on('error', (error) => {
    console.error(`cannot listen on ${port}: ${error.message}`)
    process.exit(1)
  })
  return server.listen(port, '0.0.0.0', () => console.log(`listening on ${port}, prefix: ${prefix}`))
})

process.on('SIGTERM', () => {
  for (const server of servers) server.close()
  setTimeout(() => process.exit(0), 500)
})
