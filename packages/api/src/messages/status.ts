/** The `status` that every kind of Istio's API carries. */
import { dateTime, intOrText, list, message, of, oneOf, type Static, text } from '../schema/define.ts'

export const IstioCondition = message('IstioCondition', {
  type: text('What the condition is about, e.g. Accepted or Programmed.'),
  status: text('True, False or Unknown.'),
  lastProbeTime: dateTime('When the condition was last looked at.'),
  lastTransitionTime: dateTime('When the status last changed.'),
  reason: text('One word that says why.'),
  message: text('A sentence that says why.'),
  observedGeneration: intOrText('The generation of the object that this speaks of.'),
})
export interface IstioCondition extends Static<typeof IstioCondition> {}

const MessageType = message('AnalysisMessageType', {
  name: text('Name of the message in the catalogue.'),
  code: text('Stable code, ISTnnnn.'),
})

export const AnalysisMessage = message('AnalysisMessageBase', {
  type: of(MessageType, 'Which message this is.'),
  level: oneOf(['UNKNOWN', 'ERROR', 'WARNING', 'INFO'], 'How bad it is.', [0, 3, 8, 12]),
  documentationUrl: text('Where the message is explained.'),
})
export interface AnalysisMessage extends Static<typeof AnalysisMessage> {}

export const IstioStatus = message('IstioStatus', {
  conditions: list(of(IstioCondition), 'What is now true of the object.'),
  validationMessages: list(of(AnalysisMessage), 'What analysis says about the object.'),
  observedGeneration: intOrText('The generation of the object that the status speaks of.'),
})
export interface IstioStatus extends Static<typeof IstioStatus> {}
