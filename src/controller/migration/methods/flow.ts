/**
 * Moves flows to a switch's new place by their entries (after the OpenFlow paper): as `vroom`, but what flips is the
 * switches' entries and not the tunnels, at an instant (flow-flips.ts).
 */
import { VnmError } from '../../../model/errors.ts';
import type { Method } from '../method.ts';
import { refuseRedirections } from './vroom.ts';

export const flowMethod: Method = {
  refuse(options) {
    refuseRedirections('flow', options);
    const { controlPlane, holdControl, parallel = 1, suspend } = options;
    const needless = [
      ...(controlPlane === undefined ? [] : [`--control-plane ${controlPlane}`]),
      ...(holdControl === true ? ['--hold-control'] : []),
      ...(suspend === true ? ['--suspend'] : []),
      ...(parallel === 1 ? [] : [`--parallel ${parallel}`]),
    ];
    if (needless.length === 0) return;
    throw new VnmError(
      'usage',
      `method flow moves one switch after the other, so it has no ${needless.join(', no ')}`,
      {
        hint: 'leave that out',
      },
    );
  },
  refuseOn: () => {},
};
