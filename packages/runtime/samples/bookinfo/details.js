// Bookinfo details: facts about one book.
import { json, portOf, serve } from '../serve.js'

serve(portOf(9080), (request, response, url) => {
  if (url.pathname === '/health') return json(response, 200, { status: 'Details is healthy' })
  const [, resource, id] = url.pathname.split('/')
  if (resource !== 'details') return json(response, 404, { error: 'not found' })
  if (!/^\d+$/.test(id ?? '')) return json(response, 400, { error: 'please provide numeric product id' })
  json(response, 200, {
    id: Number(id),
    author: 'William Shakespeare',
    year: 1595,
    type: 'paperback',
    pages: 200,
    publisher: 'PublisherA',
    language: 'English',
    'ISBN-10': '1234567890',
    'ISBN-13': '123-1234567890',
  })
})
