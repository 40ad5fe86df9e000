import { expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { launch, until, within } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'

const TIMEOUT_MS = 60_000
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

test(
  'the demo makes a picture over HTTP, prints calls that work, goes on serving, and leaves nothing behind',
  async () => {
    const drafts = temporaryFolder()
    await using demo = launch({ folder: drafts, args: ['demo'], env: { TMPDIR: drafts } })
    const [, url = ''] = await demo.says(/API reference: (http\S+)\/docs/)
    const [, folder = ''] = await demo.says(/on the temporary folder (\S+)/)
    expect(demo.stderr()).toMatch(/\n {2}succeeded 100 %: \d+ x \d+, \d+ bytes\n/)

    // Standard output is the address of the picture, so that it can be piped to a viewer.
    const link = await until('its address', () => demo.stdout().trim() || null)
    const answer = await fetch(link)
    const picture = await answer.bytes()
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/png'])
    expect([...picture.subarray(0, 8)]).toEqual(PNG)
    const size = await new Bun.Image(picture).metadata()
    expect(demo.stderr()).toContain(
      `succeeded 100 %: ${size.width} x ${size.height}, ${picture.length} bytes`,
    )

    const calls = [...demo.stderr().matchAll(/^ {2}(curl (?:.*\\\n)*.*)$/gm)].map(
      ([, call]) => call,
    )
    expect(calls).toHaveLength(2)
    const [ordered, looked] = await Promise.all(calls.map(call => byShell(`${call}`)))
    expect(ordered).toMatchObject({ status: 'queued', tokens_charged: 1, mode: 'test' })
    expect(looked).toMatchObject({ status: 'succeeded', outputs: [{ content_type: 'image/png' }] })

    expect((await fetch(`${url}/api/health`)).status).toBe(200)
    expect(readdirSync(folder)).toContain('hub.db')
    demo.signal('SIGTERM')
    expect(await within(TIMEOUT_MS / 2, 'the end of the demo', demo.ended)).toEqual({
      code: 0,
      signal: null,
    })
    expect(existsSync(folder)).toBe(false)
    expect(readdirSync(drafts)).toEqual([])
  },
  TIMEOUT_MS,
)

/** As a person would run it, pasted into a shell. */
async function byShell(command: string): Promise<Record<string, unknown>> {
  const child = Bun.spawn(['sh', '-c', command], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [text, trouble, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${trouble}`)
  return JSON.parse(text) as Record<string, unknown>
}
