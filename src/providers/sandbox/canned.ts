/**
 * A landscape of 48 x 48 pixels in about a kilobyte, kept here and not drawn at start: it is the
 * same bytes everywhere and costs nothing. Each call gets its own copy, so that nobody can change
 * another's.
 */
export function cannedPicture(): Uint8Array {
  return PICTURE.slice()
}

const PICTURE = Uint8Array.fromBase64(
  [
    'iVBORw0KGgoAAAANSUhEUgAAADAAAAAwCAMAAABg3Am1AAAAwFBMVEUCJC93fIkObZaqnapcZXHGnLktQk5Kd6RZlLpZ',
    'gLDIpsF1k704daDoqrdnb3z74Nz0r7F2hK+Qlb+fmqtBUFv64NwqdqFae6b12tl+f4yplrpsdIHJqMNLkbbKrscNKzXU',
    'pr2JiLPIuc3Wo7vqztVVeaPWu80dcpzky9OEgo9udYJSX2uvpbfeq7vcqLpSeKKwpcMaMz5olrtoga48gq6Qob3HosB2',
    'n7vfytSCk76dlLy2mbuPipedo7+DoLxJg7IuXrGoAAADCUlEQVR42mWQi3qiMBBGw4KsstW2G7SlXrDaGwUpUC9tRff9',
    '32rnkoSAv/2gTM6ZSSJ+YV5fXyeQq6vtdvuPMhgMnn+rXGEmwCAqGGd+q/mByt3d8/NHWxGm/eQCZ8VyUBE2vm3wzybo',
    'fHwoZSIY7/BM3lKMw2OEoQ3f71fVH8rtrXGMIjRN+LzfR5z5b8pjZ4xo+Plc8Q2NAsQacye495zS4v+a2M6naHBrPwb/',
    'gbChFdHw8w7/08RSxHze5ivFn07Fqjg9QEh51MqFQPxudzp9jcfj+1VRaIeVR2HzfOLvM/JvY8qiOB5birgYcCZ+BfA1',
    '5Gl/PLYUFvpaOBwOIMD+X64542DfUn5Ev0nFws4W7mdgGOWhJVTWgGKlhCcjKEVUVZcnoXjjHS1I6PWMIqomxOMAFGZf',
    'cOinl9kyCFDQylFc8DygCGazxWI2W0L2bLAjDlYUj8I+CIJZQDwpPR3R5fUACuPr5RqihTOmxZOw1/y6HRTkWYVx5rWw',
    '7kbsdlICuVO4zLIig/4Zt8/zHvy58HZzDAgnCQGSmmeulJmULj6WRGwkJc9lD908F7gMFMAQaSXfbDbD4bApuDKHbxRc',
    '7Jux4NIK/NwhZe0qABfkGgSXQoZ0pMvrVMJ+PfVVOwm2kTc3RqjrOomAdhw3UiWAgasTp3adyKFapgU3ciD4iOChBQkf',
    'NZWjSHVxtYClaQJANDKKK1GPUlwaqRFS+LwExShNHcfz0kaIogSrqTNN08hJagSF7+O5oIArHKCw5sCAJDHl6egdvBEI',
    'flpzyVNPGObgxSCfeFj2YXAa+hjhlyW8QkI5MCLh40dJPfVDLwXAoycKpRBoIB2GyngHAQ+VJCOm/DgO1X8C41MLGsQG',
    'OIh7xJfExLYgfCvqLLT9hud9kBDHHQN3DdcBfNjgZIQQ4NEoWwYfPU3NDmLuaoS4MwINGKT4OFaMsAU8Uxiac3j8Lhue',
    '9mEENHiL7JTWCWPLIKEs1UBqACljdYtlm6e2QJVkqJuI/VDdS1xa+y+briRYRjuaLhvjP/A29eCdCpcUAAAAAElFTkSu',
    'QmCC',
  ].join(''),
)
