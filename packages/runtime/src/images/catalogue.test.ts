import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ImageCatalogue, ImageFileError, readImageFile, UnknownImage } from './catalogue.ts'

const directory = mkdtempSync(join(tmpdir(), 'lateen-images-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const file = (text: string) => {
  const path = join(directory, `${Math.random()}.yaml`)
  writeFileSync(path, text)
  return path
}

test.each([
  ['docker.io/istio/examples-bookinfo-reviews-v2:1.20.3', 'istio/examples-bookinfo-reviews-v2'],
  ['registry.example:5000/mirror/istio/proxyv2:1.30.3-distroless', 'istio/proxyv2'],
  ['gcr.io/istio-release/pilot@sha256:0123', 'pilot'],
  ['curlimages/curl', 'curlimages/curl'],
  ['docker.io/library/busybox:1.36', 'busybox'],
])('%s is %s', (reference, name) => {
  expect(new ImageCatalogue().resolve(reference).name).toBe(name)
})

test('an entry with a tag goes before one without, and matches that tag alone', () => {
  const catalogue = new ImageCatalogue(file('shop/cart: [one]\nshop/cart:2.0: [two]\nbusybox: {cmd: [mine]}\n'))
  expect(catalogue.resolve('registry.example/shop/cart:2.0').entrypoint).toEqual(['two'])
  expect(catalogue.resolve('shop/cart:3.0').entrypoint).toEqual(['one'])
  expect(catalogue.resolve('busybox').cmd).toEqual(['mine'])
})

test('an unknown image is refused with the closest names and the file to change', () => {
  const path = file('{}')
  const resolve = () => new ImageCatalogue(path).resolve('docker.io/istio/example-bookinfo-detail-v1:1')
  expect(resolve).toThrow(UnknownImage)
  expect(resolve).toThrow('istio/examples-bookinfo-details-v1')
  expect(resolve).toThrow(path)
})

test('a changed file is read again; a broken one leaves the last good list in force and is told of', () => {
  const path = file('shop/cart: [one]\n')
  const catalogue = new ImageCatalogue(path)
  expect(catalogue.resolve('shop/cart').entrypoint).toEqual(['one'])
  writeFileSync(path, 'shop/cart: {entrypoint: 5}\n')
  utimesSync(path, new Date(), new Date(Date.now() + 5_000))
  expect(catalogue.resolve('shop/cart').entrypoint).toEqual(['one'])
  expect(() => catalogue.resolve('shop/new')).toThrow(`${path}: shop/cart: entrypoint must be a list of words`)
})

test.each([
  ['- a', 'must be a map of image name to command'],
  ['a: {comand: [x]}', 'a: comand is not known; allowed are entrypoint, cmd, env, workingDir, user'],
  ['a: {env: {A: b}}', 'needs entrypoint or cmd'],
  ['a: {cmd: [x], workingDir: here}', 'workingDir must be an absolute path'],
  ['a: {cmd: [x], user: -1}', 'user must be a number from 0'],
  ['a: [x\n', 'Flow sequence'],
])('%j is refused', (text, message) => {
  expect(() => readImageFile(file(text))).toThrow(ImageFileError)
  expect(() => readImageFile(file(text))).toThrow(message)
})

test('a command line becomes a shell command that takes the arguments of the container', () => {
  expect(new ImageCatalogue(file('shop/cart: node /srv/cart.js --port 80\n')).resolve('shop/cart').entrypoint).toEqual([
    '/bin/sh',
    '-c',
    'exec node /srv/cart.js --port 80 "$@"',
    'sh',
  ])
})
