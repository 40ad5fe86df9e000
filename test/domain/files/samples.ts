import { join } from 'node:path'

/**
 * Small files beside this one, made by ffmpeg 5.1 and by nothing else: pictures from `testsrc=s=32x16`,
 * films from `color=gray:s=64x36:r=10:d=1.2` with x264 at crf 40, bit-exact and without metadata. Each is
 * what its name says: `-metadata:s:v rotate=90`, `-movflags frag_keyframe+empty_moov`, a sine of 2 s beside
 * the film, `setsar=4/3`, `-f mov`. `turned.jpg` got 34 bytes of Exif that say "turn it by a quarter".
 */
export async function sample(name: string): Promise<Uint8Array> {
  return await Bun.file(join(import.meta.dir, 'samples', name)).bytes()
}
