/**
 * A registry of every generated message, for reading and printing Anys (config dumps, golden files). Large: programs that only
 * build messages do not need it.
 */
