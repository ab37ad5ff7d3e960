/** Carries a parsed template out. Steps and output are bounded: a template is text that somebody wrote, and must end. */
import { isRecord } from '../../pod/pod.ts'
import { FUNCTIONS, type GoFunction } from './functions.ts'
import type { Node, Operand, ParsedTemplate, Pipeline } from './parse.ts'
import { TemplateError } from './tokens.ts'
import { entriesOf, fieldOf, print, truthy } from './values.ts'

const MAX_STEPS = 200_000
const MAX_OUTPUT = 1024 * 1024
const MAX_CALLS = 100

interface Run {
  readonly template: ParsedTemplate
  readonly functions: Readonly<Record<string, GoFunction>>
  steps: number
  calls: number
  length: number
  output: string[]
}

/** Variables of a block; assignments reach outwards to where the variable was declared. */
interface Scope {
  readonly variables: Map<string, unknown>
  readonly outer: Scope | undefined
}

type Signal = 'break' | 'continue' | undefined

/** The text that a template makes of `data`; `extra` adds to or replaces functions. */
export function renderTemplate(template: ParsedTemplate, data: unknown, extra: Readonly<Record<string, GoFunction>> = {}): string {
  const run: Run = { template, functions: { ...FUNCTIONS, ...extra }, steps: 0, calls: 0, length: 0, output: [] }
  walk(run, template.body, data, { variables: new Map([['$', data]]), outer: undefined })
  return run.output.join('')
}

function walk(run: Run, nodes: readonly Node[], dot: unknown, scope: Scope): Signal {
  for (const node of nodes) {
    if (++run.steps > MAX_STEPS) throw new TemplateError(`template "${run.template.name}" takes more than ${MAX_STEPS} steps`)
    const signal = step(run, node, dot, scope)
    if (signal) return signal
  }
  return undefined
}

function step(run: Run, node: Node, dot: unknown, scope: Scope): Signal {
  switch (node.kind) {
    case 'text':
      return write(run, node.text)
    case 'print': {
      const value = evaluate(run, node.pipeline, dot, scope, node.line)
      return node.pipeline.names.length > 0 ? undefined : write(run, value === undefined ? '' : print(value))
    }
    case 'if': {
      const inner = nested(scope)
      const chosen = truthy(evaluate(run, node.pipeline, dot, inner, node.line)) ? node.body : node.otherwise
      return walk(run, chosen, dot, inner)
    }
    case 'with': {
      const inner = nested(scope)
      const value = evaluate(run, node.pipeline, dot, inner, node.line)
      return truthy(value) ? walk(run, node.body, value, inner) : walk(run, node.otherwise, dot, inner)
    }
    case 'range':
      return range(run, node, dot, scope)
    case 'template':
      return call(run, node, dot, scope)
    default:
      return node.kind
  }
}

function range(run: Run, node: Extract<Node, { kind: 'if' | 'with' | 'range' }>, dot: unknown, scope: Scope): Signal {
  const { pipeline } = node
  const items = itemsOf(evaluate(run, { ...pipeline, names: [] }, dot, scope, node.line))
  if (items.length === 0) return walk(run, node.otherwise, dot, nested(scope))
  for (const [key, item] of items) {
    const inner = nested(scope)
    const [first, second] = pipeline.names
    if (first !== undefined) inner.variables.set(first, second === undefined ? item : key)
    if (second !== undefined) inner.variables.set(second, item)
    if (walk(run, node.body, item, inner) === 'break') break
  }
  return undefined
}

function itemsOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return value.map((item, index) => [index, item])
  if (typeof value === 'number') return Array.from({ length: Math.max(0, Math.min(MAX_STEPS, value)) }, (_, index) => [index, index])
  return isRecord(value) ? entriesOf(value) : []
}

function call(run: Run, node: Extract<Node, { kind: 'template' }>, dot: unknown, scope: Scope): Signal {
  const body = run.template.defined.get(node.name)
  if (!body) throw failure(run, node.line, `there is no template "${node.name}"`)
  if (++run.calls > MAX_CALLS) throw failure(run, node.line, `templates call each other more than ${MAX_CALLS} times deep`)
  const data = node.pipeline ? evaluate(run, node.pipeline, dot, scope, node.line) : undefined
  walk(run, body, data, { variables: new Map([['$', data]]), outer: undefined })
  run.calls--
  return undefined
}

function evaluate(run: Run, pipeline: Pipeline, dot: unknown, scope: Scope, line: number): unknown {
  let result: unknown
  pipeline.commands.forEach((command, index) => {
    result = commandValue(run, command, index > 0 ? [result] : [], { dot, scope, line })
  })
  for (const name of pipeline.names) {
    if (pipeline.assigns) assign(run, scope, name, result, line)
    else scope.variables.set(name, result)
  }
  return result
}

interface Place {
  readonly dot: unknown
  readonly scope: Scope
  readonly line: number
}

function commandValue(run: Run, command: readonly Operand[], piped: readonly unknown[], place: Place): unknown {
  if (++run.steps > MAX_STEPS) throw new TemplateError(`template "${run.template.name}" takes more than ${MAX_STEPS} steps`)
  const [head, ...rest] = command
  if (head?.kind !== 'function') {
    if (head === undefined) return undefined
    if (rest.length + piped.length > 0) throw failure(run, place.line, 'a value is given arguments, but is no function')
    return operandValue(run, head, place)
  }
  if (head.name === 'and' || head.name === 'or') return shortCircuit(run, head.name, rest, piped, place)
  return invoke(run, head.name, [...rest.map((operand) => operandValue(run, operand, place)), ...piped], place)
}

/** `and`: the first empty argument, else the last; `or`: the first that is not empty. Later arguments are not evaluated. */
function shortCircuit(run: Run, name: 'and' | 'or', operands: readonly Operand[], piped: readonly unknown[], place: Place): unknown {
  let value: unknown
  for (const operand of operands) {
    value = operandValue(run, operand, place)
    if (truthy(value) === (name === 'or')) return value
  }
  return piped.length > 0 ? piped[0] : value
}

function invoke(run: Run, name: string, args: readonly unknown[], place: Place): unknown {
  const found = Object.hasOwn(run.functions, name) ? run.functions[name] : undefined
  if (!found) throw failure(run, place.line, `there is no function "${name}"`)
  try {
    return found(...args)
  } catch (error) {
    if (error instanceof TemplateError) throw failure(run, place.line, error.message)
    throw error
  }
}

function operandValue(run: Run, operand: Operand, place: Place): unknown {
  switch (operand.kind) {
    case 'value':
      return operand.value
    case 'dot':
      return place.dot
    case 'variable':
      return lookup(run, place.scope, operand.name, place.line)
    case 'function':
      return commandValue(run, [operand], [], place)
    case 'pipeline':
      return evaluate(run, operand.pipeline, place.dot, nested(place.scope), place.line)
    case 'fields':
      return operand.names.reduce(fieldOf, operandValue(run, operand.of, place))
  }
}

function lookup(run: Run, scope: Scope, name: string, line: number): unknown {
  for (let at: Scope | undefined = scope; at; at = at.outer) if (at.variables.has(name)) return at.variables.get(name)
  throw failure(run, line, `there is no variable ${name}`)
}

function assign(run: Run, scope: Scope, name: string, value: unknown, line: number): void {
  for (let at: Scope | undefined = scope; at; at = at.outer)
    if (at.variables.has(name)) {
      at.variables.set(name, value)
      return
    }
  throw failure(run, line, `there is no variable ${name}`)
}

function nested(scope: Scope): Scope {
  return { variables: new Map(), outer: scope }
}

function write(run: Run, text: string): undefined {
  run.length += text.length
  if (run.length > MAX_OUTPUT) throw new TemplateError(`template "${run.template.name}" makes more than ${MAX_OUTPUT} characters`)
  run.output.push(text)
}

function failure(run: Run, line: number, what: string): TemplateError {
  const prefix = `template "${run.template.name}", line ${line}: `
  return new TemplateError(what.startsWith('template "') ? what : `${prefix}${what}`)
}
