/** Holds the sources to `boundaries.ts`. Parses imports by text: an import that hides from this is not one that formatting leaves. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROWS, type Row, TEST_ONLY, UNREACHABLE } from './boundaries.ts'

const root = import.meta.dirname
const packages = join(root, 'packages')
const names = readdirSync(packages).filter((name) => existsSync(join(packages, name, 'package.json')))

interface Import {
  readonly file: string
  readonly to: string
  readonly dynamic: boolean
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|tsx|mjs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/node_modules|\/gen\/|\/testdata\//.test(path))
}

const isTest = (path: string) => /\.test\.tsx?$/.test(path)

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8')
  const file = relative(root, path)
  const fixed = [...text.matchAll(/^\s*(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm)].map((m) => ({
    file,
    to: m[1] ?? '',
    dynamic: false,
  }))
  const dynamic = [...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)].map((m) => ({ file, to: m[1] ?? '', dynamic: true }))
  return [...fixed, ...dynamic]
}

const row = (name: string): Row | undefined => ROWS[name]
const own = (to: string) => /^@lateen\/([\w-]+)/.exec(to)?.[1]
const external = (to: string) =>
  /^(\.|node:|@lateen\/)/.test(to)
    ? undefined
    : to
        .split('/')
        .slice(0, to.startsWith('@') ? 2 : 1)
        .join('/')

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, string>>
}

function manifest(name: string): Manifest {
  const parsed: unknown = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'))
  return typeof parsed === 'object' && parsed !== null ? parsed : {}
}

const graph = new Map(names.map((name) => [name, existsSync(join(packages, name, 'src')) ? sources(join(packages, name, 'src')) : []]))

test('every package has a row', () => {
  expect(names.filter((name) => name !== TEST_ONLY && !row(name))).toEqual([])
})

describe.each(names.filter((name) => name !== TEST_ONLY))('%s', (name) => {
  const files = graph.get(name) ?? []
  const product = files.filter((path) => !isTest(path)).flatMap(importsOf)
  const all = files.flatMap(importsOf)

  test('imports only the packages that its row lists', () => {
    const may = new Set([...(row(name)?.may ?? []), ...(row(name)?.lazily ?? []), 'base', name])
    expect(product.filter(({ to }) => own(to) !== undefined && !may.has(own(to) ?? ''))).toEqual([])
  })

  test('loads lazily what its row lists as lazy', () => {
    const lazy = new Set((row(name)?.lazily ?? []).filter((other) => !row(name)?.may.includes(other)))
    expect(product.filter(({ to, dynamic }) => lazy.has(own(to) ?? '') && !dynamic)).toEqual([])
  })

  test('declares in package.json whatever it imports', () => {
    const { dependencies = {}, devDependencies = {} } = manifest(name)
    const declared = new Set([...Object.keys(dependencies), ...Object.keys(devDependencies), ...ROOT_TOOLS])
    const missing = all.filter(({ file, to }) => {
      const wanted = own(to) ? `@lateen/${own(to)}` : external(to)
      if (!wanted || wanted === `@lateen/${name}`) return false
      return isTest(file) ? !declared.has(wanted) && wanted !== `@lateen/${TEST_ONLY}` && !own(to) : !declared.has(wanted)
    })
    expect(missing).toEqual([])
  })

  test('reaches into other packages only through their exports', () => {
    const deep = all.filter(({ to }) => {
      const other = own(to)
      const rest = to.replace(/^@lateen\/[\w-]+/, '')
      return other && rest !== '' && names.includes(other) && !exported(other, `.${rest}`)
    })
    const across = all.filter(({ file, to }) => to.startsWith('.') && !join(root, file, '..', to).startsWith(join(packages, name)))
    expect([...deep, ...across].filter(({ file }) => !isTest(file))).toEqual([])
  })

  if (!row(name)?.pure) return
  test('is pure', () => {
    const impure = product.filter(({ to }) => to.startsWith('node:'))
    const used = files
      .filter((path) => !isTest(path))
      .flatMap((path) =>
        [...code(path).matchAll(/\b(process\.|Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|performance\.)/g)].map(
          (m) => `${relative(root, path)}: ${m[1]}`,
        ),
      )
    expect([...impure.map(({ file, to }) => `${file}: ${to}`), ...used]).toEqual([])
  })
})

/** Tools of the root that any test may use. */
const ROOT_TOOLS = ['vitest', 'fast-check', 'typescript']

function exported(name: string, path: string): boolean {
  return Object.keys(manifest(name).exports ?? {}).some((key) => key === path || (key.endsWith('*') && path.startsWith(key.slice(0, -1))))
}

/** The text without comments, so that a comment may speak of the clock. */
function code(path: string): string {
  return readFileSync(path, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '')
}

test.each(UNREACHABLE)('$from never reaches $never', ({ from, never }) => {
  const reached = new Set<string>()
  const visit = (name: string) => {
    if (reached.has(name)) return
    reached.add(name)
    for (const path of graph.get(name) ?? []) if (!isTest(path)) for (const { to } of importsOf(path)) if (own(to)) visit(own(to) ?? '')
  }
  visit(from)
  expect([...reached].filter((name) => never.includes(name))).toEqual([])
})

test('packages do not import each other in a circle', () => {
  const edges = new Map(
    names.map((name) => [
      name,
      new Set(
        (graph.get(name) ?? [])
          .filter((path) => !isTest(path))
          .flatMap(importsOf)
          .map(({ to }) => own(to))
          .filter((to) => to !== undefined && to !== name),
      ),
    ]),
  )
  const circles: string[] = []
  const walk = (name: string, path: readonly string[]) => {
    if (path.includes(name)) return void circles.push([...path, name].join(' → '))
    for (const to of edges.get(name) ?? []) if (to) walk(to, [...path, name])
  }
  for (const name of names) walk(name, [])
  expect(circles).toEqual([])
})

test('only tests import the testkit', () => {
  const found = [...graph]
    .filter(([name]) => name !== TEST_ONLY)
    .flatMap(([, files]) => files.filter((path) => !isTest(path)).flatMap(importsOf))
  expect(found.filter(({ to }) => own(to) === TEST_ONLY)).toEqual([])
})

test('the lock file and the sources name no package registry', () => {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
  expect([...lock.matchAll(/"resolved": "(https?:[^"]*)"/g)].map((m) => m[1])).toEqual([])
})
