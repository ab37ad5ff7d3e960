// Bookinfo product page: the page that a user sees; asks details and reviews, and passes on who the user is.
import { randomUUID } from 'node:crypto'
import { forwardedHeaders, get, json, parseJson, portOf, readBody, send, serve } from '../serve.js'

const { SERVICES_DOMAIN, DETAILS_HOSTNAME = 'details', DETAILS_SERVICE_PORT = '9080', REVIEWS_HOSTNAME = 'reviews', REVIEWS_SERVICE_PORT = '9080', RATINGS_HOSTNAME = 'ratings', RATINGS_SERVICE_PORT = '9080' } = process.env
const host = (name) => `${name}${SERVICES_DOMAIN ? `.${SERVICES_DOMAIN}` : ''}`
// A service link variable of the same name holds an address; only a number is a port.
const port = (text) => (/^\d+$/.test(text) ? text : '9080')
const details = (id) => `http://${host(DETAILS_HOSTNAME)}:${port(DETAILS_SERVICE_PORT)}/details/${id}`
const reviews = (id) => `http://${host(REVIEWS_HOSTNAME)}:${port(REVIEWS_SERVICE_PORT)}/reviews/${id}`
const ratings = (id) => `http://${host(RATINGS_HOSTNAME)}:${port(RATINGS_SERVICE_PORT)}/ratings/${id}`
const CALL_MS = 3_000
const REVIEW_TRIES = 2
const PRODUCT = {
  id: 0,
  title: 'The Comedy of Errors',
  descriptionHtml: 'A short comedy of 1594 about two pairs of twins who are taken for one another. See <a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">Wikipedia</a>.',
}
const sessions = new Map()
const MOST_SESSIONS = 1000

serve(portOf(9080), async (request, response, url) => {
  const { pathname } = url
  if (pathname === '/health') return send(response, 200, 'Product page is healthy', { 'content-type': 'text/plain' })
  if (pathname === '/' || pathname === '/index.html') return send(response, 200, page('Simple Bookstore App', '<p><a href="/productpage?u=normal">Normal user</a> · <a href="/productpage?u=test">Test user</a></p>'), HTML)
  if (pathname === '/productpage') return productPage(request, response)
  if (pathname === '/login') return login(request, response)
  if (pathname === '/logout') return logout(request, response)
  if (pathname.startsWith('/api/v1/products')) return api(request, response, pathname)
  send(response, 404, page('Not found', ''), HTML)
})

const HTML = { 'content-type': 'text/html; charset=utf-8' }

function headersFor(request) {
  const headers = forwardedHeaders(request)
  const user = userOf(request)
  if (user) headers['end-user'] = user
  return headers
}

function userOf(request) {
  return sessions.get(/(?:^|;\s*)session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1])
}

async function login(request, response) {
  const user = new URLSearchParams(await readBody(request, 4096)).get('username') ?? ''
  const id = randomUUID()
  if (sessions.size >= MOST_SESSIONS) sessions.delete(sessions.keys().next().value)
  sessions.set(id, user.slice(0, 64).replace(/[^\w.@-]/g, ''))
  response.writeHead(302, { location: request.headers.referer ?? '/productpage', 'set-cookie': `session=${id}; Path=/; HttpOnly` })
  response.end()
}

function logout(request, response) {
  sessions.delete(/(?:^|;\s*)session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1])
  response.writeHead(302, { location: request.headers.referer ?? '/productpage', 'set-cookie': 'session=; Path=/; Max-Age=0' })
  response.end()
}

async function api(request, response, pathname) {
  const [, , , , id, part] = pathname.split('/')
  if (id === undefined || id === '') return json(response, 200, [PRODUCT])
  if (!/^\d+$/.test(id)) return json(response, 404, { error: 'not found' })
  const headers = headersFor(request)
  if (part === undefined) return pass(response, await asked(details(id), headers, 1), 'product details')
  if (part === 'reviews') return pass(response, await asked(reviews(id), headers, REVIEW_TRIES), 'product reviews')
  if (part === 'ratings') return pass(response, await asked(ratings(id), headers, 1), 'product ratings')
  json(response, 404, { error: 'not found' })
}

function pass(response, answer, what) {
  if (answer.status === 200) return json(response, 200, answer.value)
  json(response, answer.status || 500, { error: `${what} cannot be had now` })
}

async function asked(url, headers, tries) {
  let answer = { status: 0, body: '' }
  for (let count = 0; count < tries && answer.status !== 200; count++) answer = await get(url, headers, CALL_MS)
  return { status: answer.status, value: parseJson(answer.body) }
}

async function productPage(request, response) {
  const headers = headersFor(request)
  // One after the other, so that a slow service is seen in the time of the page.
  const detail = await asked(details(0), headers, 1)
  const review = await asked(reviews(0), headers, REVIEW_TRIES)
  const user = userOf(request)
  const sign = user
    ? `<p id="user">${escape(user)} (<a href="/logout">sign out</a>)</p>`
    : '<form method="post" action="/login"><input name="username" placeholder="user name"><input name="passwd" type="password"><button>Sign in</button></form>'
  const body = `${sign}<p>${PRODUCT.descriptionHtml}</p>${detailsHtml(detail)}${reviewsHtml(review)}`
  send(response, 200, page(PRODUCT.title, body), HTML)
}

function detailsHtml({ status, value }) {
  if (status !== 200 || !value) return '<h2>Error fetching product details!</h2><p>The details of this book cannot be shown now.</p>'
  const rows = Object.entries(value).filter(([name]) => name !== 'id').map(([name, text]) => `<tr><th>${escape(name)}</th><td>${escape(String(text))}</td></tr>`)
  return `<h2>Book Details</h2><table>${rows.join('')}</table>`
}

function reviewsHtml({ status, value }) {
  if (status !== 200 || !value) return '<h2>Error fetching product reviews!</h2><p>The reviews of this book cannot be shown now.</p>'
  const items = value.reviews.map(({ text, reviewer, rating }) => `<blockquote>${escape(text)}<small>${escape(reviewer)}</small>${stars(rating)}</blockquote>`)
  return `<h2>Book Reviews</h2>${items.join('')}<p>Reviews served by: <u>${escape(value.podname ?? '')}</u></p>`
}

function stars(rating) {
  if (!rating) return ''
  if (rating.error) return `<p><i>${escape(rating.error)}</i></p>`
  return `<p style="color:${rating.color === 'red' ? 'red' : 'black'}" class="stars-${escape(rating.color)}">${'<span class="glyphicon glyphicon-star">★</span>'.repeat(rating.stars)}${'<span class="glyphicon glyphicon-star-empty">☆</span>'.repeat(Math.max(0, 5 - rating.stars))}</p>`
}

function page(title, body) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Simple Bookstore App</title><style>body{font:16px sans-serif;max-width:50rem;margin:2rem auto}th{text-align:left;padding-right:1rem}small{display:block}</style></head><body><h1>${escape(title)}</h1>${body}</body></html>\n`
}

function escape(text) {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
}
