import { describe, expect, test } from 'vitest'
import { command, HOME_FLAG, OUTPUT_FLAG, Outcome } from './command.ts'
import { CommandError, EXIT } from './exit-codes.ts'
import { runShell } from './shell.ts'
import type { Tree } from './tree.ts'

interface Greeting {
  readonly name: string
  readonly home: string
  readonly times: number | undefined
}

const greet = command<Greeting>({
  help: 'Greets someone.',
  args: [{ name: 'name', help: 'whom' }],
  flags: [{ name: 'times', short: 't', value: 'N', type: 'integer', help: 'how often' }, OUTPUT_FLAG, HOME_FLAG],
  examples: ['lateen greet you'],
  run: async ({ args: [name = ''], flags, home }) => ({ name, home, times: flags.integer('times') }),
  render: ({ name }, style) => (style === 'short' ? name : `hello ${name}`),
})

const tree: Tree = {
  greet: { summary: 'greets', load: async () => greet },
  count: {
    summary: 'counts',
    load: async () =>
      command({
        help: 'Counts.',
        flags: [],
        examples: [],
        run: async () =>
          (async function* () {
            yield 'one\n'
            yield 'two\n'
          })(),
      }),
  },
  find: {
    summary: 'finds',
    load: async () =>
      command({ help: 'Finds.', flags: [], examples: [], run: async () => new Outcome('found', EXIT.findings), render: String }),
  },
  fail: {
    summary: 'fails',
    load: async () =>
      command({
        help: 'Fails.',
        flags: [],
        examples: [],
        run: () => Promise.reject(new CommandError('objects.yaml:3: this is no YAML', { exitCode: EXIT.data })),
      }),
  },
  hang: {
    summary: 'hangs',
    load: async () => command({ help: 'Hangs.', flags: [], examples: [], run: () => new Promise(() => undefined) }),
  },
  tidy: {
    summary: 'tidies up',
    load: async () =>
      command<string>({
        endsItself: true,
        help: 'Tidies up.',
        flags: [],
        examples: [],
        run: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('tidied up'))),
        render: String,
      }),
  },
  x: { summary: 'more', children: { deep: { summary: 'deep', load: async () => greet } } },
  secret: { summary: 'not listed', hidden: true, load: async () => greet },
}

/** The commands of this tree are loaded without waiting for anything. */
const begun = () => new Promise((resolve) => setImmediate(resolve))

const shell = (...argv: string[]) => shellUntil(new AbortController().signal, ...argv)

async function shellUntil(signal: AbortSignal, ...argv: string[]) {
  let stdout = ''
  let stderr = ''
  const streams = { stdout: { write: (text: string) => void (stdout += text) }, stderr: { write: (text: string) => void (stderr += text) } }
  const foreign = [{ name: 'discovery', summary: 'the control plane' }]
  const code = await runShell(argv, { tree, foreign, env: { LATEEN_HOME: '/mesh' }, streams, signal })
  return { code, stdout, stderr }
}

describe('a command', () => {
  test('writes its result to standard output and ends with 0', async () => {
    expect(await shell('greet', 'you')).toEqual({ code: 0, stdout: 'hello you\n', stderr: '' })
  })

  test('is left where it is on Ctrl-C, unless it ends itself', async () => {
    const abort = new AbortController()
    const running = shellUntil(abort.signal, 'hang')
    await begun()
    abort.abort()
    expect(await running).toEqual({ code: 130, stdout: '', stderr: '' })
    expect(await shellUntil(AbortSignal.abort(), 'hang')).toEqual({ code: 130, stdout: '', stderr: '' })
  })

  test('that ends itself is waited for after Ctrl-C', async () => {
    const abort = new AbortController()
    const running = shellUntil(abort.signal, 'tidy')
    await begun()
    abort.abort()
    expect(await running).toEqual({ code: 0, stdout: 'tidied up\n', stderr: '' })
  })

  test('writes machine forms that hold nothing but data', async () => {
    const { stdout } = await shell('greet', 'you', '-t', '3', '-o', 'json')
    expect(JSON.parse(stdout)).toEqual({ name: 'you', home: '/mesh', times: 3 })
    expect((await shell('greet', 'you', '-o', 'yaml')).stdout).toBe('name: you\nhome: /mesh\n')
    expect((await shell('greet', 'you', '-o', 'short')).stdout).toBe('you\n')
  })

  test('takes its home from --home before $LATEEN_HOME', async () => {
    expect((await shell('greet', 'you', '--home', '/other', '-o', 'yaml')).stdout).toContain('home: /other')
  })

  test('is found below a branch', async () => {
    expect((await shell('x', 'deep', 'you')).stdout).toBe('hello you\n')
  })

  test('may write as it goes', async () => {
    expect((await shell('count')).stdout).toBe('one\ntwo\n')
  })

  test('chooses its exit code by its outcome', async () => {
    expect(await shell('find')).toEqual({ code: 79, stdout: 'found\n', stderr: '' })
  })

  test('that fails says why on standard error', async () => {
    expect(await shell('fail')).toEqual({ code: 65, stdout: '', stderr: 'Error: objects.yaml:3: this is no YAML\n' })
  })
})

describe('wrong usage ends with 64 and a suggestion', () => {
  test.each([
    [['gret', 'you'], "unknown command 'gret'", 'Did you mean greet?'],
    [['greet', 'you', '--tims', '3'], "unknown option '--tims'", 'Did you mean --times?'],
    [['greet', 'you', '-t', 'often'], "option '-t, --times <N>' argument 'often' is invalid", 'A whole number is wanted.'],
    [['greet', 'you', '-o', 'xml'], "argument 'xml' is invalid", 'Allowed choices are table, short, json, yaml.'],
    [['greet'], "missing required argument 'name'", ''],
    [['greet', 'you', 'me'], 'too many arguments', ''],
    [['x', 'dep'], "unknown command 'dep'", 'Did you mean deep?'],
    [['help', 'gret'], "unknown command 'gret'", 'Did you mean greet?'],
  ])('%j', async (argv, says, suggests) => {
    const { code, stdout, stderr } = await shell(...argv)
    expect(stderr).toContain(says)
    expect(stderr).toContain(suggests)
    expect(stdout).toBe('')
    expect(code).toBe(64)
  })
})

describe('help', () => {
  test('lists commands, those of other programs too, and hides the hidden', async () => {
    const { code, stdout } = await shell('--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/greet\s+greets/)
    expect(stdout).toMatch(/discovery\s+the control plane/)
    expect(stdout).not.toContain('secret')
  })

  test('of a command has its flags and examples', async () => {
    const { code, stdout } = await shell('greet', '--help')
    expect(code).toBe(0)
    expect(stdout).toContain('Greets someone.')
    expect(stdout).toContain('-t, --times <N>')
    expect(stdout).toContain('Examples:\n  lateen greet you')
  })

  test('is what an empty command line gets', async () => {
    expect((await shell()).stdout).toContain('Usage: lateen')
  })

  test('is what a word gets that has only commands below it', async () => {
    const { code, stdout, stderr } = await shell('x')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('Usage: lateen x [options] [command]')
  })

  test.each([
    [['help'], 'Usage: lateen [options] [command]'],
    [['help', 'greet'], 'Examples:\n  lateen greet you'],
    [['help', 'x'], 'Usage: lateen x [options] [command]'],
    [['help', 'x', 'deep'], 'Usage: lateen x deep [options] <name>'],
  ])('%j asks for it in words', async (argv, says) => {
    const { code, stdout, stderr } = await shell(...argv)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain(says)
  })
})
