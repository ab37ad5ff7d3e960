/** Makers of metrics that belong to one registry. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 20, 30]

export interface Instruments {
  counter<L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L>
  gauge<L extends string>(name: string, help: string, ...labelNames: L[]): Gauge<L>
  /** A gauge that is read when it is scraped. */
  read(name: string, help: string, value: () => number, labels?: Readonly<Record<string, string>>): void
  histogram<L extends string>(name: string, help: string, buckets: readonly number[], ...labelNames: L[]): Histogram<L>
}

export function createInstruments(registry: Registry): Instruments {
  const registers = [registry]
  return {
    counter: (name, help, ...labelNames) => new Counter({ name, help, labelNames, registers }),
    gauge: (name, help, ...labelNames) => new Gauge({ name, help, labelNames, registers }),
    read: (name, help, value, labels = {}) => {
      const gauge: Gauge = new Gauge({
        name,
        help,
        labelNames: Object.keys(labels),
        registers,
        collect: (): void => gauge.set(labels, value()),
      })
    },
    histogram: (name, help, buckets, ...labelNames) => new Histogram({ name, help, buckets: [...buckets], labelNames, registers }),
  }
}
