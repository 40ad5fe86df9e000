import { type Config, readConfig } from '@/base/config'
import type { Log } from '@/base/log'
import { type ServeOptions, type Serving, startServer } from '@/serve'
import { type TestLog, temporaryFolder, testLog } from './test-db'

export type TestServer = Serving & { log: TestLog; folder: string; config: Config }

/** The whole server in this process: real HTTP on a free loopback port, a data folder of its own. */
export async function testServer(
  options: { folder?: string; config?: Partial<Config>; hub?: ServeOptions['hub']; log?: Log } = {},
): Promise<TestServer> {
  const log = testLog()
  const folder = options.folder ?? temporaryFolder()
  const config: Config = {
    ...readConfig({ DATA_DIR: folder, PORT: '0' }),
    // Tests knock from one address; those about this limit set their own.
    addressRateLimit: 1_000_000,
    ...options.config,
  }
  const serving = await startServer({
    config,
    log: options.log ?? log,
    onFatal: error => {
      throw error
    },
    hub: { lockWaitMs: 0, ...options.hub },
  })
  return { ...serving, log, folder, config }
}
