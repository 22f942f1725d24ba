"""The public-domain portraits that tests look at; both come inside packages."""

import numpy as np
from matplotlib.cbook import get_sample_data
from PIL import Image
from skimage import data

ASTRONAUT = data.astronaut()  # Eileen Collins; NASA
HOPPER = np.asarray(Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)))  # US Navy
PAIR = np.hstack([HOPPER[80:380, 110:410], ASTRONAUT[:300, 70:370]])
NOBODY = data.cat()
