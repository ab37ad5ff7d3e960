/**
 * What of istioctl's commands is not here, and which area brings it. Read by the test of the command tree, and by the shell, to say
 * more of such a word than that it is unknown.
 */

/** Commands by their words, with the area that brings them. */
export const ABSENT_COMMANDS: Readonly<Record<string, string>> = {
  install: 'installation',
  uninstall: 'installation',
  upgrade: 'installation',
  manifest: 'installation',
  'manifest generate': 'installation',
  'manifest install': 'installation',
  'manifest translate': 'installation',
}

/** Flags by command, with the reason. */
export const ABSENT_FLAGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {}

/** Flags with another default than istioctl's, and why. */
export const OTHER_DEFAULTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {}
