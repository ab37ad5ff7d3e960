/** The dispatcher as a function, for tests; the program itself is `main.ts`. */
export { runProgram } from './dispatch.ts'
