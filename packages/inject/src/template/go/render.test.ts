import { describe, expect, test } from 'vitest'
import { parseTemplate } from './parse.ts'
import { renderTemplate } from './render.ts'
import { GoStruct } from './values.ts'

const data = {
  Values: { image: 'proxyv2', ports: [80, 443], labels: { b: '2', a: '1' }, empty: '', zero: 0, 'with-dash': { x: 1 } },
  Spec: new GoStruct({
    containers: [{ name: 'app', ports: [{ name: 'http', containerPort: 80 }] }, { name: 'istio-proxy' }],
    hostIP: '10.0.0.1',
  }),
  ObjectMeta: new GoStruct({ annotations: { 'a.b/c': 'yes' }, labels: {} }),
  Config: new GoStruct({ interceptionMode: 'TPROXY', holdApplicationUntilProxyStarts: true }),
}
const render = (text: string) => renderTemplate(parseTemplate('test', text), data)

describe('Go templates', () => {
  test.each([
    ['{{ .Values.image }}', 'proxyv2'],
    ['{{ .Values.image | quote }}', '"proxyv2"'],
    ['{{ .Values.missing | default "x" }}', 'x'],
    ['{{ .Values.missing.deeper }}', ''],
    ['{{ .Values.ports }}', '[80 443]'],
    ['{{ .Values.labels }}', 'map[a:1 b:2]'],
    ['{{ index .Values "with-dash" "x" }}', '1'],
    ['{{ index .Values.ports 1 }}', '443'],
    ['{{ (index .Spec.Containers 0).Name }}', 'app'],
    ['{{ .Spec.HostIP }}', '10.0.0.1'],
    ['{{ .Config.InterceptionMode.String }}', 'TPROXY'],
    ['{{ .Config.HoldApplicationUntilProxyStarts.GetValue }}', 'true'],
    ['{{ .Config.GetInterceptionMode }}', 'TPROXY'],
    ['{{ annotation .ObjectMeta `a.b/c` "no" }}', 'yes'],
    ['{{ annotation .ObjectMeta `d` .Config.InterceptionMode }}', 'TPROXY'],
    ['{{ isset .ObjectMeta.Annotations `a.b/c` }}', 'true'],
    ['{{ printf "%s-%03d %q %v %t" "a" 7 "b" .Values.ports true }}', 'a-7 "b" [80 443] true'],
    ['{{ structToJSON (index (index .Spec.Containers 0).Ports 0) }}', '{"name":"http","containerPort":80}'],
    ['{{ "a,b" | splitList "," | join "+" }}', 'a+b'],
    ['{{ trunc 3 "abcdef" }}{{ "x-" | trimSuffix "-" }}', 'abcx'],
    ['{{ list 1 2 | len }}{{ dict "a" 1 | toJson }}', '2{"a":1}'],
    ["{{ 'a' }}", '97'],
    ['x:\n  {{ toYaml .Values.labels | indent 2 }}', 'x:\n  b: "2"\n  a: "1"'],
    ['x:{{ .Values.ports | toYaml | nindent 2 }}', 'x:\n  - 80\n  - 443'],
  ])('%s makes %s', (text, result) => {
    expect(render(text)).toBe(result)
  })

  test.each([
    ['{{ if .Values.empty }}a{{ else if .Values.zero }}b{{ else }}c{{ end }}', 'c'],
    ['{{ if and .Values.image (not .Values.empty) }}a{{ end }}', 'a'],
    ['{{ or .Values.empty .Values.image }}', 'proxyv2'],
    ['{{ if or .Values.image (fail "not evaluated") }}a{{ end }}', 'a'],
    ['{{ with .Values.missing }}a{{ else }}b{{ end }}', 'b'],
    ['{{ with $x := .Values.image }}{{ $x }}{{ . }}{{ end }}', 'proxyv2proxyv2'],
    ['{{ range .Values.ports }}{{ . }},{{ end }}', '80,443,'],
    ['{{ range $i, $p := .Values.ports }}{{ if $i }},{{ end }}{{ $p }}{{ end }}', '80,443'],
    ['{{ range $k, $v := .Values.labels }}{{ $k }}={{ $v }};{{ end }}', 'a=1;b=2;'],
    ['{{ range .Values.missing }}a{{ else }}none{{ end }}', 'none'],
    ['{{ range .Values.ports }}{{ if eq . 443 }}{{ break }}{{ end }}{{ . }}{{ end }}', '80'],
    ['{{ range .Values.ports }}{{ if eq . 80 }}{{ continue }}{{ end }}{{ . }}{{ end }}', '443'],
    ['{{ $first := true }}{{ range .Values.ports }}{{ if not $first }},{{ end }}{{ . }}{{ $first = false }}{{ end }}', '80,443'],
    [
      '{{ $all := list }}{{ range .Spec.Containers }}{{ if ne .Name "istio-proxy" }}{{ $all = append $all .Name }}{{ end }}{{ end }}{{ $all | join "," }}',
      'app',
    ],
    ['{{ define "part" }}<{{ .image }}>{{ end }}{{ template "part" .Values }}', '<proxyv2>'],
    ['{{ block "part" .Values }}<{{ .image }}>{{ end }}', '<proxyv2>'],
    ['{{ range .Values.ports }}{{ $.Values.image }}{{ end }}', 'proxyv2proxyv2'],
    ['a  {{- /* a comment */ -}}  b', 'ab'],
    ['a\n  {{- if true }}\n  b\n  {{- end }}\nc', 'a\n  b\nc'],
    ['{{- $hold := and\n  (or .Config.HoldApplicationUntilProxyStarts.GetValue .Values.empty)\n  (not .Values.zero) }}{{ $hold }}', 'true'],
    ['{{ "{{" }}', '{{'],
    ['{{ `raw "text"` }}', 'raw "text"'],
  ])('%j makes %j', (text, result) => {
    expect(render(text)).toBe(result)
  })

  test.each([
    ['{{ if true }}', 'line 1: "if" is never closed'],
    ['a\n{{ end }}', 'line 2: "end" without a beginning'],
    ['a\nb {{ nope 1 }}', 'line 2: there is no function "nope"'],
    ['{{ $x }}', 'there is no variable $x'],
    ['{{ .Values.image', 'is never closed with }}'],
    ['{{ template "gone" . }}', 'there is no template "gone"'],
    ['{{ fail "the image is missing" }}', 'the image is missing'],
    ['{{ (1 }}', 'is not expected here|never closed'],
    ['{{ 1 2 }}', 'is no function'],
    ['{{ index .Values.ports 1 | nope }}', 'no function "nope"'],
    ['{{ fromJSON "{" }}', 'which it is not'],
  ])('%j is refused with line and reason', (text, reason) => {
    expect(() => render(text)).toThrow(new RegExp(reason.replaceAll('$', '\\$').replaceAll('}', '\\}')))
  })

  test('a template that would never end, or never stop writing, is stopped', () => {
    expect(() => render('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}')).toThrow(/call each other/)
    expect(() => render('{{ range until 10000 }}{{ range until 10000 }}x{{ end }}{{ end }}')).toThrow(/steps|characters/)
    expect(() => render('{{ repeat 10000000 "abc" }}')).toThrow(/longer|characters/)
    expect(() => render('{{ "x" | '.repeat(10) + '('.repeat(10_000))).toThrow()
  })

  test('a template cannot reach what is not data', () => {
    expect(render('{{ .constructor }}{{ .Values.constructor }}{{ .Values.__proto__ }}{{ index .Values "toString" }}')).toBe('')
    expect(() => render('{{ constructor }}')).toThrow(/no function/)
    expect(render('{{ env "HOME" "nothing" }}')).toBe('nothing')
  })
})
