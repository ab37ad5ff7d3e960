/**
 * The YAML blocks of documents that teach Istio, as found, against the verdicts of the real API server and validator. They lie
 * beside the checkout and are read from there.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { SEEDS, seedsAreThere } from '../harness/seeds.ts'

interface Verdict {
  readonly parses: boolean
  readonly resources: readonly { readonly kind: string; readonly namespace: string | null; readonly istio: boolean }[]
  readonly validate: { readonly ok: boolean; readonly errors: readonly string[] } | null
  /** A server-side dry run where no webhook looks at the objects. */
  readonly apiServer: { readonly ok: boolean; readonly messages: readonly string[] } | null
}

interface Block extends Verdict {
  readonly file: string
  readonly intendedFile?: string
  readonly intendedVerdict?: Verdict
}

interface Case {
  readonly file: string
  readonly verdict: Verdict
}

const cases = seedsAreThere ? casesOf(blocks()) : []

if (!seedsAreThere) test.skip(`the seed cases: ${SEEDS} is not there`, () => undefined)
else
  describeWithMesh('the seed cases', (mesh) => {
    beforeAll(async () => {
      if (whySkipped()) return
      const names = cases.flatMap(({ verdict }) => verdict.resources.flatMap(({ namespace }) => namespace ?? []))
      const namespaces = [...new Set(names)].map((name) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`)
      await mesh().apply(namespaces.join('---\n'))
    })

    describe.each(['client-side', 'server-side'])('applied %s', (side) => {
      test.concurrent.each(cases.filter(accepted))('$file is accepted', async ({ file }) => {
        const { code, output } = await apply(mesh(), file, side)
        expect(code, output).toBe(0)
      })

      test.concurrent.each(cases.filter((one) => !accepted(one)))('$file is refused with the reason', async ({ file, verdict }) => {
        const { code, output } = await apply(mesh(), file, side)
        expect(code, output).not.toBe(0)
        for (const word of reasons(verdict)) expect(output).toContain(word)
      })
    })
  })

/** Conflicts over fields are not what is asked: some blocks change objects that the mesh itself applies. */
function apply(mesh: Mesh, file: string, side: string) {
  const server = side === 'server-side' ? ['--server-side', '--force-conflicts'] : []
  return mesh.tryKubectl(['apply', '--dry-run=server', '--validate=strict', ...server, '-f', join(SEEDS, file)])
}

function blocks(): readonly Block[] {
  return JSON.parse(readFileSync(join(SEEDS, 'verdicts.json'), 'utf8'))
}

function casesOf(all: readonly Block[]): readonly Case[] {
  return all.flatMap(({ intendedFile, intendedVerdict, ...block }) => [
    ...(block.apiServer ? [{ file: block.file, verdict: block }] : []),
    ...(intendedFile && intendedVerdict?.apiServer ? [{ file: intendedFile, verdict: intendedVerdict }] : []),
  ])
}

/** Istio's own objects also pass the validating webhook here, as they would in a cluster with Istio. */
function accepted({ verdict: { apiServer, validate, resources } }: Case): boolean {
  return apiServer?.ok === true && (validate?.ok !== false || !resources.some(({ istio }) => istio))
}

/** What the refusal must name: the fields, kinds or lines that the real server's names. */
function reasons({ apiServer, validate }: Verdict): readonly string[] {
  const messages = apiServer?.ok ? (validate?.errors ?? []) : (apiServer?.messages ?? [])
  const text = messages.join('\n')
  return [
    // Which of several unknown fields the real server names first is by chance; the last part is in the one and the other form.
    ...[...text.matchAll(/\.([A-Za-z]+): field not declared/g)].slice(0, 1).map(([, field = '']) => field),
    ...[...text.matchAll(/\* (spec\.[\w.[\]]+):/g)]
      .map(([, field = '']) => field)
      .filter((field) => !text.includes(`${field}: Invalid value: null`)),
    ...[...text.matchAll(/no matches for kind "\w+"/g)].map(([words]) => words),
    ...[...text.matchAll(/yaml: line \d+/g)].map(([words]) => words),
    ...[...text.matchAll(/'(distribute|failover)'|(exponentialDelay)/g)].flatMap(([, one, other]) => one ?? other ?? []),
  ]
}
