/** `KubeClient` over HTTP: paths, bodies and answers; the transport does the rest. */
import type { KubeObject, ResourceType } from '@lateen/api'
import type { Connection } from './connection.ts'
import { notTheApi } from './errors.ts'
import { apiVersionOf, resourcePath } from './resource-path.ts'
import { createTransport, type TransportOptions } from './transport.ts'
import type { KubeClient, ListOptions, ListPage } from './types.ts'

const APPLY = 'application/apply-patch+yaml'

/** A client of one API server. Close it to end its connections; watches end by their signal. */
export function createKubeClient(connection: Connection, options: TransportOptions = {}): KubeClient {
  const transport = createTransport(connection, options)

  const call = async <T>(
    method: string,
    path: string,
    body?: unknown,
    extra: { contentType?: string; signal?: AbortSignal | undefined } = {},
  ): Promise<T> => {
    const text = await transport.text({
      method,
      path,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(extra.contentType ? { contentType: extra.contentType } : {}),
      signal: extra.signal,
    })
    return parseAnswer<T>(text, connection, path)
  }

  return {
    get: (type, namespace, name) => call('GET', resourcePath(type, { namespace, name })),
    list: async <T extends KubeObject>(type: ResourceType, listOptions: ListOptions = {}): Promise<ListPage<T>> => {
      const page = await call<RawList<T>>(
        'GET',
        withQuery(resourcePath(type, { namespace: listOptions.namespace }), listQuery(listOptions)),
      )
      return toPage(page, type)
    },
    create: (type, object, create = {}) =>
      call(
        'POST',
        withQuery(resourcePath(type, { namespace: object.metadata.namespace }), {
          fieldManager: create.fieldManager,
          dryRun: create.dryRun ? 'All' : undefined,
        }),
        object,
      ),
    update: (type, object, update = {}) => call('PUT', objectPath(type, object, update.subresource), object),
    patch: (type, namespace, name, patch, patchOptions = {}) =>
      call('PATCH', resourcePath(type, { namespace, name, subresource: patchOptions.subresource }), patch, {
        contentType: patchOptions.type ?? 'application/merge-patch+json',
      }),
    apply: (type, object, apply) =>
      call(
        'PATCH',
        withQuery(objectPath(type, object, apply.subresource), {
          fieldManager: apply.fieldManager,
          force: apply.force ? 'true' : undefined,
        }),
        object,
        { contentType: APPLY },
      ),
    delete: async (type, namespace, name, deletion = {}) => {
      const { gracePeriodSeconds, propagationPolicy, uid } = deletion
      await call('DELETE', resourcePath(type, { namespace, name }), {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      })
    },
    request: (method, path, body, request = {}) =>
      call(method, withQuery(path, request.query ?? {}), body, {
        signal: request.signal,
        ...(request.contentType ? { contentType: request.contentType } : {}),
      }),
    stream: (path, stream = {}) => transport.stream({ method: 'GET', path: withQuery(path, stream.query ?? {}), signal: stream.signal }),
    close: () => transport.close(),
  }
}

interface RawList<T> {
  readonly items?: T[] | null
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}

/** The items of a list come without the kind that the list's own kind implies. */
function toPage<T extends KubeObject>(page: RawList<T>, type: ResourceType): ListPage<T> {
  const kind = { apiVersion: apiVersionOf(type), kind: type.kind }
  const items = (page.items ?? []).map((item) => (item.kind ? item : { ...kind, ...item }))
  const next = page.metadata?.continue
  return { items, resourceVersion: page.metadata?.resourceVersion ?? '', ...(next ? { continue: next } : {}) }
}

function objectPath(type: ResourceType, object: KubeObject, subresource: string | undefined): string {
  return resourcePath(type, { namespace: object.metadata.namespace, name: object.metadata.name, subresource })
}

function listQuery(options: ListOptions): Record<string, string | undefined> {
  const { labelSelector, fieldSelector, limit, resourceVersion } = options
  return {
    labelSelector,
    fieldSelector,
    limit: limit === undefined ? undefined : String(limit),
    continue: options.continue,
    resourceVersion,
  }
}

/** Adds the parameters that have a value. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value) parameters.set(name, value)
  const text = parameters.toString()
  if (text === '') return path
  return `${path}${path.includes('?') ? '&' : '?'}${text}`
}

function parseAnswer<T>(text: string, connection: Connection, path: string): T {
  // The caller names the type of what the API serves at this path; the API server, which is authenticated, vouches for it.
  if (text === '') return {} as T
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    // `/readyz`, and pages of pods and services behind the API server, are plain text; an object never is.
    const isObject = /^\/(api|apis)\//.test(path) && !/\/proxy(\/|$)/.test(path)
    const begin = text.trimStart()
    if (!isObject && text.length < 4096 && !/^[{<]/.test(begin)) return text as T
    throw notTheApi(connection, begin, cause)
  }
}
