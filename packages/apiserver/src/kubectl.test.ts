/** Runs the kubectl suite against the embedded server, or against the one that KUBECONFIG_UNDER_TEST names. */
import '../kubectl/suite.ts'
