/** How a text of a request (path, header, …) is compared. */
import { message, type Static, text } from '../schema/define.ts'

export const StringMatch = message(
  'StringMatch',
  {
    exact: text('The text must equal this.'),
    prefix: text('The text must begin with this.'),
    regex: text('The whole text must match this RE2 regular expression.'),
  },
  { oneOfs: [['exact', 'prefix', 'regex']] },
)
export interface StringMatch extends Static<typeof StringMatch> {}
