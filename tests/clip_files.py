"""Small videos that tests write."""

from fractions import Fraction

import numpy as np

RATE, COUNT = 10, 20


def write_video(path, *, sound=True, count=COUNT):
    """Frames that are brighter from one to the next, and a tone."""
    import av

    with av.open(str(path), 'w') as container:
        video = container.add_stream('libx264', rate=RATE, options={'crf': '1'})
        video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
        audio = container.add_stream('aac', rate=44100) if sound else None
        for number in range(count):
            pixels = np.full((48, 64, 3), 10 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            tone = np.sin(np.arange(44100 * count // RATE) / 16).astype(np.float32)
            for begin in range(0, len(tone) - 1024, 1024):
                part = tone[None, begin : begin + 1024]
                frame = av.AudioFrame.from_ndarray(part, 'fltp', 'mono')
                frame.sample_rate, frame.pts = 44100, begin
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
