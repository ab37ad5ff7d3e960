// Bookinfo reviews: v1 without stars, v2 with black ones, v3 with red ones; the stars come from the ratings service.
import { forwardedHeaders, get, json, parseJson, portOf, serve } from '../serve.js'

const { ENABLE_RATINGS, STAR_COLOR = 'black', SERVICES_DOMAIN, RATINGS_HOSTNAME = 'ratings', RATINGS_SERVICE_PORT_OVERRIDE = '9080', CLUSTER_NAME = null } = process.env
const withRatings = ENABLE_RATINGS === 'true'
const ratingsHost = `${RATINGS_HOSTNAME}${SERVICES_DOMAIN ? `.${SERVICES_DOMAIN}` : ''}`
// Black stars give up sooner, so that an injected delay shows the difference.
const RATINGS_MS = STAR_COLOR === 'black' ? 10_000 : 2_500
const TEXTS = [
  ['Reviewer1', 'Two pairs of twins, one long day, and not a dull scene in it. I laughed all the way home.'],
  ['Reviewer2', 'Quick and merry. Do not look for the weight of the tragedies here, and you will have a good evening.'],
]

serve(portOf(9080), async (request, response, url) => {
  if (url.pathname === '/health') return json(response, 200, { status: 'Reviews is healthy' })
  const [, resource, id] = url.pathname.split('/')
  if (resource !== 'reviews' || !/^\d+$/.test(id ?? '')) return json(response, 404, { error: 'not found' })
  const stars = withRatings ? await ratingsOf(id, request) : undefined
  const reviews = TEXTS.map(([reviewer, text]) => ({ reviewer, text, ...(withRatings ? { rating: ratingFor(stars, reviewer) } : {}) }))
  json(response, 200, { id, podname: process.env.HOSTNAME ?? '', clustername: CLUSTER_NAME, reviews })
})

async function ratingsOf(id, request) {
  const answer = await get(`http://${ratingsHost}:${RATINGS_SERVICE_PORT_OVERRIDE}/ratings/${id}`, forwardedHeaders(request), RATINGS_MS)
  return answer.status === 200 ? parseJson(answer.body)?.ratings : undefined
}

function ratingFor(stars, reviewer) {
  if (!stars || typeof stars[reviewer] !== 'number') return { error: 'Ratings service is currently unavailable' }
  return { stars: stars[reviewer], color: STAR_COLOR }
}
