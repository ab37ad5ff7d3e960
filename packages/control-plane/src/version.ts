/** The version that tools are told: of Istio's interfaces, which these are compatible with. */
export const VERSION = '1.30.3'
