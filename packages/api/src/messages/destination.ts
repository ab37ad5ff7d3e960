/** Where a route sends requests: a service, a subset of it, a port. */
import { message, of, required, type Static, text } from '../schema/define.ts'
import { PortSelector } from './port.ts'

export const Destination = message('Destination', {
  host: required(text("Name of a service; a short name is completed with the object's own namespace.")),
  subset: text('A subset that a DestinationRule of the host defines.'),
  port: of(PortSelector, 'Port of the service; needed when the service has several.'),
})
export interface Destination extends Static<typeof Destination> {}
