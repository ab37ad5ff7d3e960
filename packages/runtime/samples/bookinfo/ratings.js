// Bookinfo ratings: stars by reviewer. A POST changes them in memory.
import { json, parseJson, portOf, readBody, serve } from '../serve.js'

const changed = new Map()
const healthyFrom = Date.now()
const version = process.env.SERVICE_VERSION ?? 'v1'

serve(portOf(9080), async (request, response, url) => {
  if (url.pathname === '/health') return health(response)
  const [, resource, id] = url.pathname.split('/')
  if (resource !== 'ratings') return json(response, 404, { error: 'not found' })
  if (!/^\d+$/.test(id ?? '')) return json(response, 400, { error: 'please provide numeric product ID' })
  if (request.method !== 'POST') return json(response, 200, { id: Number(id), ratings: changed.get(id) ?? { Reviewer1: 5, Reviewer2: 4 } })
  const ratings = parseJson(await readBody(request))
  if (ratings === null || typeof ratings !== 'object') return json(response, 400, { error: 'please provide valid ratings JSON' })
  if (changed.size > 1000) changed.clear()
  changed.set(id, ratings)
  json(response, 200, { id: Number(id), ratings })
})

// The variants that fail on purpose, for outlier detection and retries.
function health(response) {
  const minutes = Math.floor((Date.now() - healthyFrom) / 60_000)
  if (version === 'v-unhealthy' && minutes % 2 === 1) return json(response, 500, { status: 'Ratings is not healthy' })
  json(response, 200, { status: 'Ratings is healthy' })
}
