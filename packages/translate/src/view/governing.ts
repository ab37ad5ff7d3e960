/** The objects that hold for a proxy as a whole, whatever the resource: for those who ask why it behaves as it does. */
import type { ObjectRef } from '@lateen/base'
import { Family, type Interned } from '@lateen/graph'
import { type MeshModel, type MeshProxy, peerPoliciesFor, sidecarFor } from '@lateen/model'

/** Its Sidecar, then the PeerAuthentications that decide for its workload, the nearest first. */
export function governingObjects(model: MeshModel): Family<Interned<MeshProxy>, readonly ObjectRef[]> {
  return new Family<Interned<MeshProxy>, readonly ObjectRef[]>('governingObjects', (context, { value: { namespace, labels } }) => {
    const sidecar = sidecarFor(context, model.inputs, model.sidecars, namespace, labels)
    const policies = peerPoliciesFor(context, model.inputs, model.peerPolicies, { namespace, labels })
    return [...(sidecar ? [sidecar.origin] : []), ...policies.map(({ origin }) => origin)]
  })
}
