/** Results of cases as JUnit XML, which every CI reads. */
import type { TestReport } from './run-cases.ts'

export function junitOf({ file, results }: Pick<TestReport, 'file' | 'results'>): string {
  const failures = results.filter(({ failures: list }) => list.length > 0).length
  const cases = results.map(({ name, failures: list, decidedBy }) => {
    const head = `    <testcase classname="${escapeXml(file)}" name="${escapeXml(name)}"`
    if (list.length === 0) return `${head}/>`
    const text = [...list, ...decidedBy.map((cause) => `decided by ${cause}`)].join('\n')
    return `${head}>\n      <failure message="${escapeXml(list[0] ?? '')}">${escapeXml(text)}</failure>\n    </testcase>`
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${results.length}" failures="${failures}">`,
    `  <testsuite name="${escapeXml(file)}" tests="${results.length}" failures="${failures}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

/** Characters that XML does not know at all are replaced. */
const escapeXml = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
