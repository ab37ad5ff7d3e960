/** RequestAuthentication: which tokens of requests are accepted. */
import { atMostOne, targetRef, targetRefs } from '../../messages/target-reference.ts'
import { WorkloadSelector } from '../../messages/workload-selector.ts'
import { alias, duration, flag, list, message, of, required, type Static, text } from '../../schema/define.ts'
import { defineKind, versions } from '../kind.ts'

export const JWTHeader = message('JWTHeader', {
  name: required(text('Name of the header.', { minLength: 1 })),
  prefix: text('What stands before the token, e.g. "Bearer " (with the blank).'),
})
export interface JWTHeader extends Static<typeof JWTHeader> {}

export const ClaimToHeader = message('ClaimToHeader', {
  header: required(text('Header to set.', { minLength: 1, pattern: '^[-_A-Za-z0-9]+$' })),
  claim: required(text('Claim to take; dots lead into nested claims.', { minLength: 1 })),
})
export interface ClaimToHeader extends Static<typeof ClaimToHeader> {}

export const JWTRule = message(
  'JWTRule',
  {
    issuer: text('Issuer that a token must name.', { minLength: 1 }),
    audiences: list(text(undefined, { minLength: 1 }), 'Audiences of which a token must name one; any when empty.'),
    jwksUri: alias(
      text('Where the public keys are fetched from, http or https.', {
        minLength: 1,
        maxLength: 2048,
        rules: [{ rule: "url(self).getScheme() in ['http', 'https']", message: 'a key address begins with http:// or https://' }],
      }),
      'jwks_uri',
    ),
    jwks: text('The public keys themselves, as a JSON Web Key Set; excludes jwksUri.'),
    fromHeaders: list(of(JWTHeader), 'Headers that hold the token; Authorization with Bearer when all places are unset.'),
    fromParams: list(text(undefined, { minLength: 1 }), 'Query parameters that hold the token.'),
    outputPayloadToHeader: text('Header that gets the verified payload, in base64url.'),
    forwardOriginalToken: flag('Whether the token is passed on to the workload.'),
    outputClaimToHeaders: list(of(ClaimToHeader), 'Claims that are copied to headers.'),
    timeout: duration('How long fetching the keys may take; 5s when unset.', {
      rules: [{ rule: "duration(self) >= duration('1ms')", message: 'must be a duration of at least 1ms' }],
    }),
    fromCookies: list(text(undefined, { minLength: 1 }), 'Cookies that hold the token.'),
    spaceDelimitedClaims: list(text(undefined, { minLength: 1 }), 'Claims to split at blanks into lists, besides scope and permission.', {
      maxItems: 64,
    }),
  },
  {
    rules: [
      {
        rule: '(has(self.jwksUri) ? 1 : 0) + (has(self.jwks_uri) ? 1 : 0) + (has(self.jwks) ? 1 : 0) <= 1',
        message: 'at most one of jwksUri, jwks may be set',
      },
    ],
  },
)
export interface JWTRule extends Static<typeof JWTRule> {}

export const RequestAuthenticationSpec = message(
  'RequestAuthentication',
  {
    selector: of(WorkloadSelector, 'Workloads that this is for; all of the namespace when unset.'),
    targetRef: targetRef(),
    targetRefs: targetRefs(),
    jwtRules: list(of(JWTRule), 'Accepted tokens; a request with another token is refused, one without any passes.', { maxItems: 4096 }),
  },
  { rules: [atMostOne('selector', 'targetRef', 'targetRefs')] },
)
export interface RequestAuthenticationSpec extends Static<typeof RequestAuthenticationSpec> {}

export const RequestAuthenticationKind = defineKind({
  group: 'security.istio.io',
  kind: 'RequestAuthentication',
  plural: 'requestauthentications',
  shortNames: ['ra'],
  versions: versions('v1', 'v1beta1'),
  description: 'Which tokens of requests are accepted.',
  spec: RequestAuthenticationSpec,
})
