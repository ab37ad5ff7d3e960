/**
 * A key set that verifies no token: for issuers whose keys are not known. Envoy takes no empty set, and a provider left out would let
 * its tokens through unseen.
 *
 * The one key in it is a point of P-256 of which nobody knows the private number: its first coordinate is the SHA-256 of a text.
 */
export const NO_KEYS_TEXT = 'lateen: a key that nobody holds 0'

export const NO_KEYS = JSON.stringify({
  keys: [
    {
      kty: 'EC',
      crv: 'P-256',
      alg: 'ES256',
      use: 'sig',
      kid: 'nobody',
      x: '6k7H6ejhgUP6mlb75J96sOEXam3IjHp4ENfWKddMPTM',
      y: '2ypfa-uHd7iRewNqBpHD7Vvk41GNS0ReXCER4OrMlxM',
    },
  ],
})
