import type { Admission } from './admission.ts'
export const noAdmission: Admission = { concerns: () => false, mutate: async (r) => r.object, validate: async () => undefined }
