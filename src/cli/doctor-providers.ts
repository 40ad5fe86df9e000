import type { Deps } from '@/deps'
import { listEveryModel } from '@/domain/catalog'
import { allProviders, hasTwoKeys, keySourceOf, type ProviderRow } from '@/domain/providers'
import { canServe } from '@/domain/routing'
import type { Finding } from './doctor'

/** The vendors: who has a key, whose key is no use, who is ill, and what could be served. */
export function providerFindings(deps: Deps): Finding[] {
  const rows = allProviders(deps).filter(
    ({ name }) => deps.providers.get(name)?.isKeyless !== true && deps.providers.get(name) !== null,
  )
  return [keys(deps, rows), ...rows.flatMap(row => troubles(deps, row)), models(deps)]
}

function keys(deps: Deps, rows: ProviderRow[]): Finding {
  const check = 'providers'
  const told = rows.flatMap(row => {
    const source = keySourceOf(deps, row)
    return source === 'stored' || source === 'environment' ? [`${row.name} (${source})`] : []
  })
  if (told.length > 0) return { check, state: 'ok', detail: `keys for ${told.join(', ')}` }
  return {
    check,
    state: 'warning',
    detail:
      'no key is stored nor in this environment: test keys work, live keys answer no_provider_available',
    fix: '`hub providers set-key NAME`, or a variable such as FAL_KEY where the server starts',
  }
}

function troubles(deps: Deps, row: ProviderRow): Finding[] {
  const { name, apiKeyEnvVar } = row
  const check = `provider ${name}`
  const found: Finding[] = []
  if (keySourceOf(deps, row) === 'unreadable') {
    found.push({
      check,
      state: 'problem',
      detail: 'its stored key was sealed by a SECRET_KEY that is not here',
      fix: `name that one in SECRET_KEY_PREVIOUS, or \`hub providers set-key ${name}\``,
    })
  }
  if (hasTwoKeys(deps, row)) {
    found.push({
      check,
      state: 'warning',
      detail: `a key is stored and ${apiKeyEnvVar} is set: the stored one is used`,
      fix: `unset ${apiKeyEnvVar}, or \`hub providers remove-key ${name}\``,
    })
  }
  // What was found of it last, and by whom: nobody is asked now.
  if (row.isEnabled === 1 && row.health === 'down') {
    found.push({
      check,
      state: 'warning',
      detail: `its last checks failed: ${row.healthMessage ?? 'no reason is known'}`,
      fix: `\`hub providers test ${name}\`; jobs go elsewhere while others serve`,
    })
  }
  if (row.isEnabled !== 1) {
    found.push({
      check,
      state: 'warning',
      detail: 'it is paused',
      fix: `\`hub providers resume ${name}\``,
    })
  }
  return found
}

function models(deps: Deps): Finding {
  const check = 'models'
  const sold = listEveryModel(deps.db).filter(({ isEnabled }) => isEnabled === 1)
  const served = sold.filter(({ id }) => canServe(deps, { mode: 'live', modelId: id }))
  const detail = `${sold.length} models, ${served.length} served by live providers`
  if (served.length > 0) return { check, state: 'ok', detail }
  return { check, state: 'warning', detail, fix: '`hub models list` shows who would serve each' }
}
