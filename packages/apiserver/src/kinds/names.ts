/** The forms that names, labels, annotations and quantities must have. */
import { type FieldError, invalid, required } from '../errors.ts'
import { isObj, list, obj, objs, str } from '../values.ts'

export const isDnsLabel = (text: string) => text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)
export const isDnsSubdomain = (text: string) =>
  text.length <= 253 && text.split('.').every((part) => /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(part))
export const isDns1035Label = (text: string) => text.length <= 63 && /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(text)
export const isPathSegment = (text: string) => text !== '.' && text !== '..' && !/[/%]/.test(text) && text.length <= 253
export const isPortName = (text: string) => text.length <= 15 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text) && /[a-z]/.test(text)
const isLabelName = (text: string) => /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(text)
const isLabelValue = (text: string) => text === '' || isLabelName(text)

/** A label or annotation key: an optional DNS prefix, a slash, and a name. */
export function isQualifiedName(text: string): boolean {
  const slash = text.indexOf('/')
  if (slash < 0) return isLabelName(text)
  return isDnsSubdomain(text.slice(0, slash)) && isLabelName(text.slice(slash + 1))
}

const QUALIFIED =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

export function checkLabels(labels: unknown, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [key, value] of Object.entries(obj(labels))) {
    if (!isQualifiedName(key)) errors.push(invalid(path, key, QUALIFIED))
    if (str(value).length > 63) errors.push(invalid(path, value, 'must be no more than 63 bytes'))
    else if (typeof value !== 'string' || !isLabelValue(value)) errors.push(invalid(path, value, VALUE))
  }
  return errors
}

const ANNOTATIONS_MAX = 256 * 1024

export function checkAnnotations(annotations: unknown, path: string): FieldError[] {
  const errors: FieldError[] = []
  let size = 0
  for (const [key, value] of Object.entries(obj(annotations))) {
    if (!isQualifiedName(key.toLowerCase())) errors.push(invalid(path, key, QUALIFIED))
    size += key.length + str(value).length
  }
  if (size > ANNOTATIONS_MAX)
    errors.push({ field: path, reason: 'FieldValueTooLong', message: `Too long: may not be more than ${ANNOTATIONS_MAX} bytes` })
  return errors
}

/** Checks a LabelSelector object. */
export function checkSelector(selector: unknown, path: string): FieldError[] {
  if (!isObj(selector)) return []
  const errors = checkLabels(selector['matchLabels'], `${path}.matchLabels`)
  objs(selector['matchExpressions']).forEach((e, i) => {
    const at = `${path}.matchExpressions[${i}]`
    const operator = str(e['operator'])
    const values = list(e['values'])
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        errors.push({
          field: `${at}.values`,
          reason: 'FieldValueForbidden',
          message: "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        })
    } else errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'))
    if (!isQualifiedName(str(e['key']))) errors.push(invalid(`${at}.key`, e['key'], QUALIFIED))
  })
  return errors
}

export function isQuantity(value: unknown): boolean {
  return (
    (typeof value === 'string' || typeof value === 'number') &&
    /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$/.test(String(value))
  )
}

/** `10.1.2.3` as a number; `undefined` when it is not an IPv4 address. */
export function ipv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let result = 0
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    result = result * 256 + Number(part)
  }
  return result
}

export const ipv4Text = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.')
