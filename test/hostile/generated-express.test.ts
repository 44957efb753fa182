import { testGenerated } from './generated.ts';

testGenerated('express', 1, false);
testGenerated('express', 2, false);
testGenerated('shared', 1, false);
testGenerated('shared', 2, false);
