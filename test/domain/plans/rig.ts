import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import { expectLedgerInOrder, type TestHub, testApp, testHub } from '@test/support/test-hub'
import type { UserId } from '@/base/ids'
import { write } from '@/db/write'
import type { Deps, Realm } from '@/deps'
import { balanceOf } from '@/domain/ledger'
import * as plans from '@/domain/plans'
import { ensure, findByExternalId } from '@/domain/users'

export const ACTOR = { kind: 'shell', id: 'test' } as const

export type PlanRig = {
  hub: TestHub
  deps: Deps
  clock: FakeClock
  realm: Realm
  make(template: string, changes?: Partial<plans.NewPlan>): Promise<plans.Plan>
  set(
    user: string,
    plan: string,
    order?: Partial<plans.SubscriptionOrder>,
  ): Promise<plans.SubscriptionView>
  cancel(user: string): Promise<plans.SubscriptionView>
  resume(user: string): Promise<plans.SubscriptionView>
  end(user: string): Promise<plans.SubscriptionView>
  look(user: string): plans.SubscriptionView | null
  /** Makes the user, when unknown. */
  id(user: string): Promise<UserId>
  entitle(user: string): Promise<plans.Entitlement | null>
  /** What the task of each minute does. */
  renew(): Promise<void>
  balance(user: string): number
  entries(user: string): { type: string; amount: number; sourceId: string | null }[]
  /** Goes there, not past it. */
  at(time: string): void
  close(): Promise<void>
}

export async function planRig(start = '2026-01-15T10:30:00Z'): Promise<PlanRig> {
  const clock = fakeClock(Date.parse(start))
  const hub = await testHub({ clock, isRunning: false })
  const { deps } = hub
  const realm = (await testApp(deps)).realms.live
  const order: plans.SubscriptionOrder = {
    plan: '',
    periodStart: null,
    source: 'api',
    proration: null,
    when: null,
  }
  const known = (user: string) => {
    const found = findByExternalId(deps.db, realm.id, user)
    if (!found) throw new Error(`nobody is called ${user}`)
    return found
  }
  return {
    hub,
    deps,
    clock,
    realm,
    make: async (template, changes = {}) =>
      (await plans.createPlan(deps, ACTOR, realm, { template, name: null, ...changes })).plan,
    set: async (user, plan, changes = {}) =>
      (await plans.subscribe(deps, ACTOR, realm, user, { ...order, ...changes, plan }))
        .subscription,
    cancel: async user => (await plans.cancel(deps, ACTOR, realm, user)).subscription,
    resume: async user => (await plans.resume(deps, ACTOR, realm, user)).subscription,
    end: user => plans.endNow(deps, ACTOR, realm, user),
    look: user => plans.findSubscription(deps.db, realm.id, user),
    id: user =>
      write(deps.db, tx => {
        const person = { realm, externalId: user, mayHaveWelcomeGrant: true }
        return ensure(tx, deps.secrets, person).user.id
      }),
    entitle: user => write(deps.db, tx => plans.entitlementFor(tx, deps, realm, known(user).id)),
    renew: () => plans.renewAllDue(deps, new AbortController().signal),
    balance: user => balanceOf(deps.db, realm.id, known(user).id).available,
    entries: user =>
      deps.db.sqlite
        .query<{ type: string; amount: number; sourceId: string | null }, [number]>(
          'SELECT type, amount, source_id AS sourceId FROM token_entries WHERE user_id = ? ORDER BY id',
        )
        .all(known(user).id),
    at(time) {
      const ms = Date.parse(time)
      if (ms < clock.now()) throw new Error('time goes forward')
      clock.advance(ms - clock.now())
    },
    async close() {
      expectLedgerInOrder(deps)
      await hub.close()
    },
  }
}
