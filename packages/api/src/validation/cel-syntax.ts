/**
 * Whether a text is an expression of the Common Expression Language: its grammar alone, no types and no evaluation.
 *
 * A whole CEL library takes longer to load than the rest of this package; Envoy is what evaluates these expressions.
 */

const TOKEN =
  /\s+|\/\/[^\n]*|(?<text>[rR]?[bB]?[rR]?(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))|(?<number>0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[uU]?)|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<sign>==|!=|<=|>=|&&|\|\||[-+*/%!?:.,()[\]{}<>])/y

const LONGEST = 65_536
const DEEPEST = 100

const RESERVED = new Set('as break const continue else for function if import let loop package namespace return var void while'.split(' '))

/** What is wrong with an expression, or `undefined`. */
export function celProblem(expression: string): string | undefined {
  if (expression.length > LONGEST) return `it is longer than ${LONGEST} characters`
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < expression.length) {
    const at = TOKEN.lastIndex
    const match = TOKEN.exec(expression)
    if (!match) return `unexpected "${expression.slice(at, at + 10)}"`
    const { text, number, name, sign } = match.groups ?? {}
    if (text !== undefined) tokens.push('text')
    else if (number !== undefined) tokens.push('number')
    else if (name !== undefined) {
      if (RESERVED.has(name)) return `"${name}" is a reserved word`
      tokens.push(name === 'in' ? 'in' : 'name')
    } else if (sign !== undefined) tokens.push(sign)
  }
  return new Parser(tokens).problem()
}

const BINARY = new Set(['||', '&&', '==', '!=', '<', '<=', '>', '>=', 'in', '+', '-', '*', '/', '%'])

class Unexpected extends Error {}

class Parser {
  readonly tokens: readonly string[]
  next = 0
  depth = 0

  constructor(tokens: readonly string[]) {
    this.tokens = tokens
  }

  problem(): string | undefined {
    try {
      this.expression()
      return this.next < this.tokens.length ? this.said() : undefined
    } catch (problem) {
      if (problem instanceof Unexpected) return problem.message
      throw problem
    }
  }

  said(): string {
    const token = this.tokens[this.next]
    return token === undefined
      ? 'it ends too early'
      : `unexpected ${token === 'text' || token === 'number' || token === 'name' ? token : `"${token}"`}`
  }

  take(token: string): boolean {
    if (this.tokens[this.next] !== token) return false
    this.next++
    return true
  }

  need(token: string): void {
    if (!this.take(token)) throw new Unexpected(`${this.said()}, "${token}" is needed`)
  }

  expression(): void {
    if (++this.depth > DEEPEST) throw new Unexpected(`nested deeper than ${DEEPEST} levels`)
    this.operands()
    if (this.take('?')) {
      this.operands()
      this.need(':')
      this.expression()
    }
    this.depth--
  }

  // Which operator binds tighter does not change whether the text is an expression.
  operands(): void {
    this.unary()
    while (BINARY.has(this.tokens[this.next] ?? '')) {
      this.next++
      this.unary()
    }
  }

  unary(): void {
    while (this.take('!') || this.take('-'));
    this.primary()
    for (;;) {
      if (this.take('.')) {
        this.take('?')
        this.need('name')
        this.callOrFields()
      } else if (this.take('[')) {
        this.take('?')
        this.expression()
        this.need(']')
      } else return
    }
  }

  primary(): void {
    if (this.take('text') || this.take('number')) return
    if (this.take('(')) {
      this.expression()
      this.need(')')
    } else if (this.take('[')) this.list(']', () => this.expression())
    else if (this.take('{')) this.list('}', () => this.entry())
    else {
      this.take('.')
      if (!this.take('name')) throw new Unexpected(this.said())
      this.callOrFields()
    }
  }

  callOrFields(): void {
    if (this.take('(')) this.list(')', () => this.expression())
    else if (this.take('{')) this.list('}', () => this.entry())
  }

  entry(): void {
    this.take('?')
    this.expression()
    this.need(':')
    this.expression()
  }

  /** Elements up to the closing sign; a comma may stand before it. */
  list(end: string, element: () => void): void {
    while (!this.take(end)) {
      element()
      if (this.take(end)) return
      this.need(',')
    }
  }
}
