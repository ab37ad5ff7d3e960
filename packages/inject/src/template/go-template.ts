import type { PodOverlay, TemplateInput } from './input.ts'
export function renderGoTemplate(name: string, _text: string, _input: TemplateInput): PodOverlay {
  throw new RangeError(`injection template "${name}" cannot be rendered`)
}
