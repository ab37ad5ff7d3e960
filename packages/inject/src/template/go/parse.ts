/** Go template text to a tree: what text/template accepts, actions nested by `end`. */
import { type Piece, pieces, TemplateError, type Token, unquote } from './tokens.ts'

export type Operand =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  | { readonly kind: 'fields'; readonly of: Operand; readonly names: readonly string[] }

export interface Pipeline {
  /** Variables that take the result; two only in `range`. */
  readonly names: readonly string[]
  /** `=` rather than `:=`. */
  readonly assigns: boolean
  /** Operand lists: the first is the value or function, the others its arguments. */
  readonly commands: readonly (readonly Operand[])[]
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline; readonly line: number }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly pipeline: Pipeline
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
      readonly line: number
    }
  | { readonly kind: 'template'; readonly name: string; readonly pipeline: Pipeline | undefined; readonly line: number }
  | { readonly kind: 'break' | 'continue' }

export interface ParsedTemplate {
  readonly name: string
  readonly body: readonly Node[]
  readonly defined: ReadonlyMap<string, readonly Node[]>
}

/** Nesting deeper than this is a mistake, or an attack on the stack. */
const MAX_DEPTH = 100

/** @throws TemplateError naming template and line */
export function parseTemplate(name: string, source: string): ParsedTemplate {
  const state: State = { name, pieces: pieces(name, source), at: 0, defined: new Map(), depth: 0 }
  const body = parseList(state)
  if (state.at < state.pieces.length) throw at(state, lineOf(state), `"${keyword(state.pieces[state.at])}" without a beginning`)
  return { name, body, defined: state.defined }
}

interface State {
  readonly name: string
  readonly pieces: readonly Piece[]
  at: number
  readonly defined: Map<string, readonly Node[]>
  depth: number
}

/** Nodes up to `else`, `end` or the end of the text. */
function parseList(state: State): Node[] {
  if (++state.depth > MAX_DEPTH) throw at(state, lineOf(state), `nested deeper than ${MAX_DEPTH} levels`)
  const nodes: Node[] = []
  for (let piece = state.pieces[state.at]; piece && !['else', 'end'].includes(keyword(piece)); piece = state.pieces[state.at]) {
    state.at++
    if ('literal' in piece) nodes.push({ kind: 'text', text: piece.literal })
    else nodes.push(...parseAction(state, piece.action, piece.line))
  }
  state.depth--
  return nodes
}

function parseAction(state: State, tokens: readonly Token[], line: number): Node[] {
  const word = tokens[0]?.kind === 'word' ? tokens[0].text : ''
  const rest = tokens.slice(1)
  switch (word) {
    case 'if':
    case 'with':
    case 'range':
      return [parseBranch(state, word, rest, line)]
    case 'define':
      state.defined.set(quotedName(state, rest, line), parseList(state))
      expectEnd(state, line, 'define')
      return []
    case 'block': {
      const name = quotedName(state, rest, line)
      state.defined.set(name, parseList(state))
      expectEnd(state, line, 'block')
      return [{ kind: 'template', name, pipeline: pipelineOf(state, rest.slice(1), line), line }]
    }
    case 'template':
      return [
        {
          kind: 'template',
          name: quotedName(state, rest, line),
          pipeline: rest.length > 1 ? pipelineOf(state, rest.slice(1), line) : undefined,
          line,
        },
      ]
    case 'break':
    case 'continue':
      return [{ kind: word }]
    default:
      return [{ kind: 'print', pipeline: pipelineOf(state, tokens, line), line }]
  }
}

function parseBranch(state: State, kind: 'if' | 'with' | 'range', tokens: readonly Token[], line: number): Node {
  const pipeline = pipelineOf(state, tokens, line)
  const body = parseList(state)
  const next = state.pieces[state.at]
  if (next === undefined || !('action' in next)) throw at(state, line, `"${kind}" is never closed with "end"`)
  state.at++
  if (keyword(next) === 'end') return { kind, pipeline, body, otherwise: [], line }
  const [, then, ...more] = next.action
  // `else if` nests, and shares the one `end`.
  if (then?.text === 'if' || then?.text === 'with')
    return { kind, pipeline, body, otherwise: [parseBranch(state, then.text, more, next.line)], line }
  const otherwise = parseList(state)
  expectEnd(state, line, kind)
  return { kind, pipeline, body, otherwise, line }
}

function expectEnd(state: State, line: number, what: string): void {
  if (keyword(state.pieces[state.at]) !== 'end') throw at(state, line, `"${what}" is never closed with "end"`)
  state.at++
}

function quotedName(state: State, tokens: readonly Token[], line: number): string {
  const token = tokens[0]
  if (token?.kind !== 'text') throw at(state, line, 'a template name in quotes is missing')
  return unquote(token.text)
}

function pipelineOf(state: State, tokens: readonly Token[], line: number): Pipeline {
  const reader = { tokens, at: 0 }
  const pipeline = readPipeline(state, reader, line)
  const left = tokens[reader.at]
  if (left) throw at(state, line, `"${left.text}" is not expected here`)
  return pipeline
}

interface Reader {
  readonly tokens: readonly Token[]
  at: number
}

function readPipeline(state: State, reader: Reader, line: number): Pipeline {
  if (++state.depth > MAX_DEPTH) throw at(state, line, `nested deeper than ${MAX_DEPTH} levels`)
  const { names, assigns } = readDeclaration(reader)
  const commands: Operand[][] = [[]]
  for (let token = reader.tokens[reader.at]; token && token.text !== ')'; token = reader.tokens[reader.at]) {
    if (token.kind === 'mark' && token.text === '|') {
      reader.at++
      commands.push([])
    } else commands.at(-1)?.push(readOperand(state, reader, line))
  }
  if (commands.some((command) => command.length === 0)) throw at(state, line, 'a value is missing')
  state.depth--
  return { names, assigns, commands }
}

/** `$x :=`, `$x =`, `$i, $x :=`. */
function readDeclaration(reader: Reader): { names: string[]; assigns: boolean } {
  const [first, second, third, fourth] = reader.tokens.slice(reader.at, reader.at + 4)
  if (first?.kind === 'variable' && (second?.text === ':=' || second?.text === '=')) {
    reader.at += 2
    return { names: [first.text], assigns: second.text === '=' }
  }
  if (first?.kind === 'variable' && second?.text === ',' && third?.kind === 'variable' && (fourth?.text === ':=' || fourth?.text === '=')) {
    reader.at += 4
    return { names: [first.text, third.text], assigns: fourth.text === '=' }
  }
  return { names: [], assigns: false }
}

function readOperand(state: State, reader: Reader, line: number): Operand {
  const operand = readTerm(state, reader, line)
  const names: string[] = []
  for (let token = reader.tokens[reader.at]; token?.kind === 'field' && !token.spaced; token = reader.tokens[reader.at]) {
    names.push(token.text.slice(1))
    reader.at++
  }
  return names.length > 0 ? { kind: 'fields', of: operand, names } : operand
}

function readTerm(state: State, reader: Reader, line: number): Operand {
  const token = reader.tokens[reader.at++]
  switch (token?.kind) {
    case 'text':
      return { kind: 'value', value: token.text.startsWith("'") ? unquote(token.text).codePointAt(0) : unquote(token.text) }
    case 'number':
      return { kind: 'value', value: readNumber(state, token.text, line) }
    case 'variable':
      return { kind: 'variable', name: token.text }
    case 'field':
      return { kind: 'fields', of: { kind: 'dot' }, names: [token.text.slice(1)] }
    case 'word':
      return Object.hasOwn(CONSTANTS, token.text) ? { kind: 'value', value: CONSTANTS[token.text] } : { kind: 'function', name: token.text }
    default:
      if (token?.text === '.') return { kind: 'dot' }
      if (token?.text !== '(') throw at(state, line, `"${token?.text ?? ''}" is not expected here`)
  }
  const pipeline = readPipeline(state, reader, line)
  if (reader.tokens[reader.at++]?.text !== ')') throw at(state, line, 'a parenthesis is never closed')
  return { kind: 'pipeline', pipeline }
}

const CONSTANTS: Readonly<Record<string, unknown>> = { true: true, false: false, nil: undefined }

function readNumber(state: State, text: string, line: number): number {
  const value = Number(text.replaceAll('_', ''))
  if (Number.isNaN(value)) throw at(state, line, `"${text}" is no number`)
  return value
}

function keyword(piece: Piece | undefined): string {
  const first = piece && 'action' in piece ? piece.action[0] : undefined
  return first?.kind === 'word' ? first.text : ''
}

function lineOf(state: State): number {
  const piece = state.pieces[state.at]
  return piece && 'action' in piece ? piece.line : 0
}

function at(state: State, line: number, what: string): TemplateError {
  return new TemplateError(`template "${state.name}", line ${line}: ${what}`)
}
